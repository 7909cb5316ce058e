// proof: design through, mode bmc, depth 14
// Data: the n-th word out is the n-th word in, for every n; a word shown holds until it is read; into an empty queue one is
// shown in the cycle after it was written; words that come without a pause, and one after a pause as
// a frame's last beat, leave without one.
  (* anyconst *) logic [4:0] fv_n;
  logic past = 0;
  logic [4:0] written = 0, taken = 0;
  logic [7:0] fv_word;
  logic fv_known = 0;
  // since the queue was empty: 0 words without a pause, 1 a pause, 2 the one word behind it, 3 more
  logic [1:0] fv_frame = 0;
  always @(*) begin
    if (level == 3'd4) assume (!write);
    if (!valid) assume (!read);
    assume (!reset);
    assert (level <= 3'd4);
    assert (written - taken == {2'd0, level} + {1'd0, front_level});
    assert (!valid || written != taken);
    if (written == taken || fv_frame != 3) assert (valid == (written != taken));
  end
  always @(posedge clock) begin
    past <= 1;
    if (written == taken && !write) fv_frame <= 0;
    else if (fv_frame == 0) fv_frame <= write ? 0 : 1;
    else if (fv_frame == 1) fv_frame <= write ? 2 : 1;
    else if (fv_frame == 2) fv_frame <= write ? 3 : 2;
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
    if (past && $past(write && written == taken)) assert (valid);
    if (past && $past(valid && !read)) begin
      assert (valid);
      assert (data_out == $past(data_out));
    end
  end
