// proof: design encap, mode prove, depth 5
// Stream contract of the output, and no byte lost or made up: three header beats, for which the route is enough, then one beat
// out for each beat in, its end, length and error mark with it, its bytes unchanged past the first six. Unbounded.
  logic past = 0;
  logic fv_full = 0, fv_rest = 0;  // a beat stands; the frame's first input beat was taken
  logic [1:0] fv_head = 0;         // header beats written
  logic [68:0] fv_word;
  logic fv_copy = 0, fv_first = 0; // the standing beat is an input beat; and the first of them
  wire fv_go = (fv_head < 3 ? s_route_valid : s_valid) && (!m_valid || m_ready);
  wire fv_in = s_valid && s_ready;
  always @(*) begin
    if (fv_head < 3) assert (!s_ready);
    if (s_ready) assert (!m_valid || m_ready);
    assert (s_begin == (fv_go && fv_head == 0));
    assert (s_route_read == (fv_in && !fv_rest));
  end
  always @(posedge clock) begin
    past <= 1;
    if (reset) begin
      fv_full <= 0;
      fv_head <= 0;
      fv_rest <= 0;
    end else begin
      fv_full <= fv_go || (fv_full && !m_ready);
      if (fv_go && fv_head < 3) fv_head <= fv_head + 1;
      if (fv_in) begin
        fv_head <= s_beat[67] ? 2'd0 : 2'd3;
        fv_rest <= !s_beat[67];
      end
    end
    if (fv_go) begin
      fv_copy <= fv_in;
      fv_first <= fv_in && !fv_rest;
      fv_word <= s_beat;
    end
    if (past) begin
      if (m_valid && fv_copy) begin
        assert (m_beat[68:64] == fv_word[68:64]);
        assert (m_beat[63:48] == fv_word[63:48]);
        if (!fv_first) assert (m_beat[47:0] == fv_word[47:0]);
      end
      if (m_valid && !fv_copy) assert (m_beat[68:64] == 5'b00111);
      if ($past(m_valid && !m_ready && !reset)) begin
        assert (m_valid);
        assert (m_beat == $past(m_beat));
      end
    end
  end
  // k-induction: the model's view of the state
  always @(*) begin
    assert (m_valid == fv_full);
    assert (state_q == (fv_rest ? 4'd8 : fv_head == 0 ? 4'd0 : 4'd1 << (fv_head - 2'd1)));
    if (fv_rest) assert (fv_head == 3);
    if (fv_full && fv_copy) begin
      assert (out_q[68:64] == fv_word[68:64]);
      assert (out_q[63:48] == fv_word[63:48]);
      if (!fv_first) assert (out_q[47:0] == fv_word[47:0]);
    end
    if (fv_full && !fv_copy) assert (out_q[68:64] == 5'b00111);
  end
