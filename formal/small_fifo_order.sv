// proof: design small_fifo, mode bmc, depth 12
// Data: the n-th word out is the n-th word in, for every n. No loss, no duplicate, no exchange.
  (* anyconst *) logic [4:0] fv_n;
  logic [4:0] written = 0, taken = 0;
  logic [7:0] fv_word;
  logic fv_known = 0;
  always @(*) begin
    if (level == 3'd3) assume (!write);
    if (!valid) assume (!read);
    assume (!reset);
  end
  always @(posedge clock) begin
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
  end
