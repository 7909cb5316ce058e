// proof: design arbiter, mode prove, depth 4
// Stream contract, frames unmixed, nothing lost or made up, and no side waits for more than one frame. Unbounded.
  logic past = 0;
  // model: the one register of a stream stage
  logic fv_full = 0;
  logic [76:0] fv_word;
  logic fv_in_frame = 0, fv_side = 0;
  wire fv_a = a_valid && a_ready, fv_b = b_valid && b_ready;
  always @(*) assert (!(a_ready && b_ready));
  always @(posedge clock) begin
    past <= 1;
    fv_full <= reset ? 1'b0 : (fv_a || fv_b || (fv_full && !m_ready));
    if (fv_a) fv_word <= {a_meta, a_beat};
    if (fv_b) fv_word <= {b_meta, b_beat};
    if (reset) fv_in_frame <= 0;
    else if (fv_a || fv_b) begin
      fv_in_frame <= fv_a ? !a_beat[67] : !b_beat[67];
      fv_side <= fv_b;
    end
    // a frame that has begun is not interrupted
    if (fv_in_frame && fv_a) assert (!fv_side);
    if (fv_in_frame && fv_b) assert (fv_side);
    // in turn: after a frame of the one side, the other goes first when it waits
    if (past && !fv_in_frame && a_valid && b_valid && (fv_a || fv_b)) assert (fv_b == !owner_q);
    // a beat is taken only into an empty or a leaving place
    if (fv_a || fv_b) assert (!m_valid || m_ready);
    if (past) begin
      assert (m_valid == fv_full);
      if (m_valid) assert ({m_meta, m_beat} == fv_word);
      if ($past(m_valid && !m_ready && !reset)) begin
        assert (m_valid);
        assert (m_beat == $past(m_beat) && m_meta == $past(m_meta));
      end
    end
  end
  // k-induction: what the model says of the block's state
  always @(*) begin
    assert (busy_q == fv_in_frame);
    if (fv_in_frame) assert (owner_q == fv_side);
    assert (full_q == fv_full);
    if (fv_full) assert ({meta_q, beat_q} == fv_word);
  end
