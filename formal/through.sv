// proof: design through, mode bmc, depth 14
// Data: the n-th word out is the n-th word in, for every n; a word shown holds until it is read; when nothing waits a word is shown
// in the cycle after it was written.
  (* anyconst *) logic [4:0] fv_n;
  logic past = 0;
  logic [4:0] written = 0, taken = 0;
  logic [7:0] fv_word;
  logic fv_known = 0;
  always @(*) begin
    if (level == 3'd4) assume (!write);
    if (!valid) assume (!read);
    assume (!reset);
    assert (level <= 3'd4);
    assert (written - taken == {2'd0, level} + {2'd0, front_level});
  end
  always @(posedge clock) begin
    past <= 1;
    written <= written + {4'd0, write};
    taken <= taken + {4'd0, read};
    if (write && written == fv_n) begin
      fv_word <= data_in;
      fv_known <= 1;
    end
    if (valid && taken == fv_n) begin
      assert (fv_known);
      assert (data_out == fv_word);
    end
    if (past && $past(valid && !read)) begin
      assert (valid);
      assert (data_out == $past(data_out));
    end
    if (past && $past(write && written == taken)) assert (valid);
  end
