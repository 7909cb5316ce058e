// proof: design ahead, mode prove, depth 3
// A register of a stream: what is shown holds until it is read, is the word that was taken, and none is taken before. Unbounded.
  logic past = 0;
  logic [7:0] fv_word;
  logic fv_full = 0;
  always @(*) begin
    if (!m_valid) assume (!m_read);
    if (s_read) assert (s_valid && (m_read || !m_valid));
    assert (m_valid == fv_full);
    if (m_valid) assert (m_data == fv_word);
  end
  always @(posedge clock) begin
    past <= 1;
    fv_full <= !reset && (s_read || (fv_full && !m_read));
    if (s_read) fv_word <= s_data;
    if (past && !$past(reset) && $past(m_valid && !m_read)) begin
      assert (m_valid);
      assert (m_data == $past(m_data));
    end
    if (past && !$past(reset) && $past(s_valid && !m_valid)) assert (m_valid);
  end
