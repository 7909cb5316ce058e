// proof: design fifo_narrow, mode prove, depth 4
// Occupancy, and the stream contract's hold: a word stays until it is taken. Unbounded, from any legal use.
  logic past = 0;
  logic [2:0] inside = 0;  // words written and not yet read, counted here
  always @(posedge clock) begin
    past <= 1;
    inside <= reset ? 3'd0 : inside + {2'd0, write} - {2'd0, read};
  end
  // the block's documented terms of use
  always @(*) begin
    if (level == 3'd4) assume (!write);
    if (!valid) assume (!read);
  end
  always @(*) begin
    assert (level <= 3'd4);
    assert (level == inside);
    assert (level == wr_q - rd_q);
    if (valid) assert (level != 0);
  end
  always @(posedge clock) if (past && !$past(reset)) begin
    if ($past(valid && !read)) begin
      assert (valid);
      assert (data_out == $past(data_out));
    end
    // no word is forgotten: what was inside in the cycle before and after the read is shown
    if ($past(level) > ($past(read) ? 3'd1 : 3'd0)) assert (valid);
  end
