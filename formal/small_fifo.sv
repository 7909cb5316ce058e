// proof: design small_fifo, mode prove, depth 4
// Occupancy, and the stream contract's hold, with one place always free. Unbounded, from any legal use.
  logic past = 0;
  logic [2:0] inside = 0;  // words written and not yet read, counted here
  always @(posedge clock) begin
    past <= 1;
    inside <= reset ? 3'd0 : inside + {2'd0, write} - {2'd0, read};
  end
  // the block's documented terms of use
  always @(*) begin
    if (level == 3'd3) assume (!write);
    if (!valid) assume (!read);
  end
  always @(*) begin
    assert (level <= 3'd3);
    assert (level == inside);
    assert (level[1:0] == wr_q - rd_q);
    assert (valid == (level != 0));
  end
  always @(posedge clock) if (past && !$past(reset) && $past(valid && !read)) begin
    assert (valid);
    assert (data_out == $past(data_out));
  end
