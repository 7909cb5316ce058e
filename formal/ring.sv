// proof: design dma_ring, mode prove, depth 8
// Every descriptor up to the doorbell is asked for once, in order, none beyond it; what comes has room; each one
// that came is offered once, and stays until it is taken; none of a run that could not be read. Unbounded.
// The order within the buffer is fifo_order's.
  logic past = 0;
  logic [15:0] fv_asked = 0, fv_came = 0, fv_taken = 0;  // descriptors since the queue's start
  logic [5:0] fv_out = 0;                                // asked for, not yet here
  logic fv_half = 0, fv_failed = 0, fv_was_wrong = 0;
  logic [15:0] fv_before;  // the doorbell a cycle ago
  logic [2:0] fv_over = 0;  // cycles for which the doorbell was too far ahead
  logic [3:0] fv_since = 0;
  logic [63:0] fv_low;
  logic [15:0] fv_limit;
  wire [15:0] fv_tail = settings[148:133];
  wire [16:0] fv_ring = 17'd1 << settings[4:1];
  wire fv_go = fetch_valid && fetch_ready;
  wire [3:0] fv_n = fetch[71:68];
  wire fv_here = beat_valid && fv_half;
  wire [15:0] fv_most = fv_tail - head;
  // a good host's doorbell never goes back, and never further ahead than the ring is long
  wire fv_wrong = fv_was_wrong || fv_tail - fv_before > 16'd4096 || {1'b0, fv_most} > fv_ring || fv_tail - fv_asked > 16'd4096;
  // terms of use: dma/control.rs and the read port
  always @(*) begin
    assume (settings[4:1] >= 3 && settings[4:1] <= 12);
    assume ((settings[68:5] & ((64'd16 << settings[4:1]) - 64'd1)) == 0);
    if (start) assume (!run && !busy && fv_tail == 0 && fv_before == 0);
    if (take) assume (valid);
    if (beat_valid) assume (fv_out != 0 && (fv_half || !beat[67]));
    if (fv_here && (fv_since == 7 || fv_out == 1)) assume (beat[67]);
    assume (fv_taken - head <= 16'd4096);
    // the buffer's own proof
    if (fifo_valid) assume (fifo_level != 0);
  end
  always @(posedge clock) begin
    past <= 1;
    if (past) begin
      if (run && !$past(run)) assume ($past(start));
      if ($past(run && error != 0)) assume (!run);
      if ($past(run || busy)) assume (settings[132:0] == $past(settings[132:0]) && client == $past(client));
      if (run && $past(run)) assume (head - $past(head) <= 16'd4);
    end
    fv_was_wrong <= !start && !reset && fv_wrong;
    fv_before <= fv_tail;
    if (start || reset) begin
      fv_asked <= 0;
      fv_came <= 0;
      fv_taken <= 0;
      fv_since <= 0;
      fv_failed <= 0;
    end else begin
      if (fv_go) fv_asked <= fv_asked + {12'd0, fv_n};
      if (fv_here) begin
        fv_came <= fv_came + 1;
        fv_since <= beat[67] ? 4'd0 : fv_since + 4'd1;
        if (beat[67] && beat[68] && !fv_failed) begin
          fv_failed <= 1;
          fv_limit <= arrived_q;
        end
      end
      if (take) fv_taken <= fv_taken + 1;
    end
    if (reset) begin
      fv_out <= 0;
      fv_half <= 0;
    end else begin
      fv_out <= fv_out + (fv_go ? {2'd0, fv_n} : 6'd0) - {5'd0, fv_here};
      if (beat_valid) fv_half <= !fv_half;
    end
    if (beat_valid && !fv_half) fv_low <= beat[63:0];
    fv_over <= run && {1'b0, fv_most} > fv_ring && !fv_go && !reset ? fv_over + {2'd0, fv_over != 7} : 3'd0;

    // asked for: the next ones of the ring, to a multiple of eight, and not past the doorbell
    if (fv_go && !reset) begin
      assert (fv_n >= 1 && fv_n <= 8 && fetch[67:64] == 0 && fetch[76:72] == 0);
      assert ({1'b0, fv_asked[2:0]} + fv_n <= 8);
      assert (fetch[63:0] == (settings[68:5] | {44'd0, fv_asked & (fv_ring[15:0] - 16'd1), 4'd0}));
      if (!fv_wrong && run) assert ({12'd0, fv_n} <= fv_tail - fv_asked);
    end
    if (past && $past(fetch_valid && !fetch_ready && !reset)) assert (fetch_valid && fetch == $past(fetch));
    // what comes has room and goes into the buffer as it came
    if (fifo_write) assert (fifo_level < 32 && fv_here && fifo_data_in == {beat[63:0], fv_low});
    if (fv_here) assert (fifo_write);
    // offered: until taken, and none of a failed run
    if (past && $past(next_valid_q && !take && !start && !reset)) assert (next_valid_q && descriptor == $past(descriptor));
    if (past && $past(load_q && !start && !reset)) assert (next_valid_q && descriptor == $past(fifo_data_out));
    if (valid && fv_failed) assert (fv_limit - fv_taken - 16'd1 < 16'd40);
    // a doorbell that is too far ahead stops the queue
    if (fv_over == 7) assert (error_reg_q != 0);
    assert (busy == (fetch_valid || fv_out != 0));
  end
  // k-induction
  always @(*) begin
    assert (fetched_q == fv_asked && ahead_q == fv_out && half_q == fv_half && since_q == fv_since);
    if (fv_half) assert (low_q == fv_low && fv_out != 0);
    assert (used_q == fv_taken + {15'd0, next_valid_q});
    if (fv_out == 0) assert (fv_since == 0);
    assert (fv_since <= 7);
    assert (fv_asked - fv_came == {10'd0, fv_out});
    assert (fv_came - used_q == {10'd0, fifo_level});
    assert (fv_out + fifo_level <= 24);
    if (space_q && settled_q != 0) assert (fv_out + fifo_level <= 16);
    if (asking_q) begin
      assert (fv_out + fifo_level <= 16 && settled_q == 3);
      assert (count_q >= 1 && count_q <= 8 && {1'b0, fv_asked[2:0]} + count_q <= 8);
      assert (request_q[76:64] == {5'd0, count_q, 4'd0});
      assert (request_q[63:0] == (settings[68:5] | {44'd0, fv_asked & (fv_ring[15:0] - 16'd1), 4'd0}));
      if (run && !fv_wrong) assert ({12'd0, count_q} <= fv_tail - fv_asked);
    end
    if (!fv_failed) assert (arrived_q + {12'd0, fv_since} == fv_came);
    if (!fv_failed || run) assert (arrived_q - used_q <= 16'd32);
    if (fv_failed && run) assert (error_reg_q != 0 && arrived_q == fv_limit);
    if (fv_failed) assert (fv_limit - fv_taken <= 16'd33);
    if (more_q && (!fv_failed || run)) assert (arrived_q != used_q || next_valid_q);
    if (fv_over != 0) assert ({1'b0, most_q} > fv_ring);
    if (fv_over > 1) assert (ring_q == fv_ring);
    if (fv_over > 2) assert (over_q);
    if (fv_over != 0) assert (settled_q >= (fv_over > 3 ? 2'd3 : fv_over[1:0] - 2'd1));
    if (fv_over == 7) assert (settled_q == 3);
  end
