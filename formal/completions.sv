// proof: design dma_completions, mode prove, depth 7
// The write port's rule: offer, address and length hold until taken, the latter two to the write's end; an entry is written
// once, lower half first, no write crosses a line of 64 bytes, and its length is that of its beats. Unbounded.
  logic past = 0;
  logic [3:0] fv_beats = 0;  // of the write under way
  wire fv_go = valid && ready;
  always @(*) begin
    if (start) assume (!busy);
    assume (settings[4:1] >= 3 && settings[4:1] <= 12);
    assume (settings[74:69] == 0);           // completions begin at a line
    if (fifo_level == 15) assume (!write);
    // the FIFO's own proof
    if (fifo_valid) assume (fifo_level != 0);
  end
  always @(posedge clock) begin
    past <= 1;
    if (past) begin
      assume (settings[132:0] == $past(settings[132:0]) && source == $past(source));
      if ($past(fifo_valid && !fifo_read && !reset && !start)) assume (fifo_valid && fifo_data_out == $past(fifo_data_out));
    end
    if (reset) fv_beats <= 0;
    else if (fv_go) fv_beats <= beat[67] ? 4'd0 : fv_beats + 4'd1;
    if (past && $past(valid && !ready && !reset)) assert (valid && beat == $past(beat) && target == $past(target));
    if (past && $past(sending_q && !reset) && sending_q) assert (target == $past(target));
    if (fv_go) begin
      assert (beat[67] == (fv_beats + 4'd1 == target[70:67]));
      if (!fv_beats[0]) assert (!fifo_read && beat[63:0] == fifo_data_out[63:0]);
      else assert (!fifo_read && beat[62:0] == fifo_data_out[126:64]);
      assert ({2'd0, target[5:0]} + {1'b0, target[70:67], 3'd0} <= 8'd64);
    end
    // an entry is done with a cycle after its upper half was taken, and nothing is offered in that cycle
    if (past) assert (fifo_read == $past(fv_go && fv_beats[0] && !reset));
    if (fifo_read) assert (!valid);
  end
  always @(*) begin
    assert (fifo_level <= 15);
    if (!sending_q) assert (fv_beats == 0 && !taken_q);
    else begin
      assert (rest_q >= 1 && rest_q <= 4 && fv_beats <= 7 && upper_q == fv_beats[0] && !(taken_q && upper_q));
      if (taken_q && fv_beats == 0) assert (rest_q == 1);
      else assert ({fv_beats[3:1] + rest_q - {2'd0, taken_q}, 1'b0} == target[70:67]);
      assert (target[77:71] == 0 && target[66:64] == 0 && target[3:0] == 0);
      assert ({2'd0, target[5:0]} + {1'b0, target[70:67], 3'd0} <= 8'd64);
      assert (fifo_level >= {2'd0, rest_q});
    end
  end
