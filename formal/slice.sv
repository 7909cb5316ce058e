// proof: design slice, mode prove, depth 4
// Stream contract, nothing lost, repeated or made up; ready depends on registers alone. Unbounded.
  logic past = 0;
  // model: two places, the older beat in the first
  logic [1:0] fv_held = 0;
  logic [76:0] fv_word, fv_next;
  wire fv_in = s_valid && s_ready, fv_out = m_valid && m_ready;
  always @(posedge clock) begin
    past <= 1;
    fv_held <= reset ? 2'd0 : fv_held + {1'b0, fv_in} - {1'b0, fv_out};
    if (fv_out) fv_word <= fv_held == 2 ? fv_next : {s_meta, s_beat};
    else if (fv_held == 0) fv_word <= {s_meta, s_beat};
    else if (fv_held == 1) fv_next <= {s_meta, s_beat};
    if (past && $past(m_valid && !m_ready && !reset)) begin
      assert (m_valid);
      assert (m_beat == $past(m_beat) && m_meta == $past(m_meta));
    end
  end
  always @(*) begin
    assert (s_ready == (fv_held < 2) && fv_held != 3);
    assert (m_valid == (fv_held != 0));
    if (m_valid) assert ({m_meta, m_beat} == fv_word);
    // k-induction
    assert (waits_q == (fv_held == 2));
    if (waits_q) assert ({spare_meta_q, spare_beat_q} == fv_next);
  end
