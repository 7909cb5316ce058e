// proof: design pcie_write, mode prove, depth 10
// Output and its credits hold; a beat that is taken leaves as it came: whole behind four words of header, else its lower
// word in the upper half of a beat and its upper word in the lower half of the next one. Unbounded.
  logic past = 0;
  logic fv_rest = 0;  // an upper word has not left yet
  logic [31:0] fv_upper;
  logic fv_narrow;
  wire fv_in = s_valid && s_ready;
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
  end
  always @(*) begin
    if (fv_rest) assert (held_q == fv_upper);
    if (state_q == 6) assert (fv_rest);
  end
