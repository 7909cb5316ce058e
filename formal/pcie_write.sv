// proof: design pcie_write, mode prove, depth 10
// Output and its credits hold; a beat that is taken leaves as it came: whole behind four words of header, else its lower
// word in the upper half of a beat and its upper word in the lower half of the next one. Bounded response: while a beat is
// offered and the sink is ready, one is taken within 10 cycles; no TLP is empty or longer than the maximum payload. Unbounded.
  logic past = 0;
  logic fv_rest = 0;  // an upper word has not left yet
  logic [31:0] fv_upper;
  logic fv_narrow;
  wire fv_in = s_valid && s_ready;
  logic [3:0] fv_waits = 0;  // cycles in which a beat could have been taken and was not
  wire [12:0] fv_limit = mps > 5 ? 13'd128 : 13'd128 << mps;
  always @(posedge clock) begin
    past <= 1;
    if (past) assume (id == $past(id) && mps == $past(mps));
    // port rule: an offer holds, with its address and length
    if (past && $past(s_valid && !s_ready && !reset)) assume (s_valid && s_beat == $past(s_beat) && address == $past(address) && length == $past(length));
    if (past && $past(!reset)) begin
      if ($past(m_valid && !m_ready)) assert (m_valid && m_beat == $past(m_beat) && m_credits == $past(m_credits));
    end
    if (fv_in) begin
      assert (m_valid && m_ready);
      if (wide_q) assert (m_beat[63:0] == s_beat[63:0]);
      else begin
        assert (m_beat[63:32] == s_beat[31:0]);
        // within a payload the word that was left over goes before it
        if (fv_rest && state_q == 5) assert (m_beat[31:0] == fv_upper);
      end
    end
    // the last word of an even payload goes alone
    if (state_q == 6) assert (m_valid && m_beat[67] && m_beat[31:0] == fv_upper);
    if (fv_in) fv_upper <= s_beat[63:32];
    fv_rest <= !reset && (fv_in || fv_rest);
    if (reset || fv_in || !s_valid) fv_waits <= 0;
    else if (m_ready) fv_waits <= fv_waits + 4'd1;
    assert (fv_waits < 10);
  end
  always @(*) begin
    if (fv_rest) assert (held_q == fv_upper);
    if (state_q == 6) assert (fv_rest);
    // the port's terms: `MAX_RECEIVED` bytes at most
    if (s_valid) assume (length != 0 && length <= 8192 && address[1:0] == 0 && (length <= 4 || !address[2]));
    // a request that is measured is not empty; pieces are whole multiples of 8 bytes but for the last
    if (state_q == 1 || state_q == 2) begin
      assert (left_q != 0 && left_q <= 8192 && size_q == 0 && first_q);
      if (left_q > 4) assert (at_q[2:0] == 0);
    end
    if (state_q == 2) begin
      assert (room_q != 0 && room_q <= fv_limit && left2_q == left_q && at2_q[2:0] == at_q[2:0]);
      if (left_q > 4) assert (room_q[2:0] == 0);
      if (waited_q) assert (size2_q == (room_q < left2_q ? room_q : left2_q));
    end
    if (state_q == 7 && left2_q != 0) begin
      assert (size2_q != 0 && size2_q <= fv_limit && size2_q <= left2_q && words2_q == (size2_q + 13'd3) >> 2);
      if (size2_q < left2_q) assert (size2_q[2:0] == 0);
      if (left2_q > 4) assert (at2_q[2:0] == 0);
    end
    if (state_q >= 3 && state_q <= 6) begin
      assert (size_q != 0 && size_q <= fv_limit && size_q <= left_q && words_q == (size_q + 13'd3) >> 2 && !first_q);
      if (size_q < left_q) assert (size_q[2:0] == 0);
      if (left_q > 4) assert (at_q[2:0] == 0);
    end
    // the last TLP of a write is marked
    if (state_q >= 3 && state_q <= 6) assert (m_ends == (left_q == {1'b0, size_q}));
    if (state_q >= 4 && state_q <= 6) begin
      assert (left2_q == left_q - size_q);
      if (left2_q > 4) assert (at2_q[2:0] == 0);
    end
    if (state_q == 5 || state_q == 6) assert (size2_q == (fv_limit < left2_q ? fv_limit : left2_q));
    assert (eats_q == (state_q == 5 || state_q == 4 && !wide_q));
    // how long it has waited, at most, by state
    case (state_q)
      0: assert (fv_waits <= 2);
      1: assert (fv_waits <= 3);
      2: assert (fv_waits <= (waited_q ? 4'd5 : 4'd4));
      7: assert (fv_waits <= (left2_q == 0 ? 4'd1 : 4'd6));
      3: assert (fv_waits <= 7);
      4: assert (fv_waits <= 8);
      5: assert (fv_waits <= 9);
      6: assert (fv_waits == 0);
    endcase
  end
