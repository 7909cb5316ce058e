// proof: design pcie_order, mode prove, depth 3
// 2.4.1: an answer leaves after every write that had been offered when it was queued, of any source, while bus mastering is on;
// with nothing under way it may leave two cycles later. Unbounded.
  logic past = 0;
  (* anyconst *) logic [2:0] fv_source;  // any source
  (* anyseq *) logic fv_pick;            // any answer
  logic fv_on = 0;
  logic [4:0] fv_place = 0;  // of that answer, counted from the queue's front
  logic [3:0] fv_ahead = 0;  // writes of the source that it stays behind
  logic [4:0] fv_queued = 0;
  logic [1:0] fv_still = 0;
  wire [31:0] fv_counts = {count_7_q, count_6_q, count_5_q, count_4_q, count_3_q, count_2_q, count_1_q, count_0_q};
  wire [31:0] fv_nexts = {count_7_d, count_6_d, count_5_d, count_4_d, count_3_d, count_2_d, count_1_d, count_0_d};
  wire [31:0] fv_barriers = {barrier_7_q, barrier_6_q, barrier_5_q, barrier_4_q, barrier_3_q, barrier_2_q, barrier_1_q, barrier_0_q};
  wire [3:0] fv_count = fv_counts >> {fv_source, 2'b0}, fv_next = fv_nexts >> {fv_source, 2'b0};
  wire [3:0] fv_barrier = fv_barriers >> {fv_source, 2'b0}, fv_leaving = fv_counts >> {left_source, 2'b0};
  wire fv_goes = left && left_source == fv_source;
  always @(posedge clock) begin
    past <= 1;
    fv_queued <= reset ? 5'd0 : fv_queued + {4'd0, answered} - {4'd0, taken};
    fv_still <= reset || answered || flying != 0 || offers != 0 ? 2'd0 : fv_still + {1'd0, fv_still != 3};
    if (reset || !master) fv_on <= 0;
    else if (fv_on) begin
      fv_place <= fv_place - {4'd0, taken};
      if (fv_goes && fv_ahead != 0) fv_ahead <= fv_ahead - 4'd1;
      if (taken && fv_place == 1) begin
        fv_on <= 0;
        assert (fv_ahead == 0);
      end
    end else if (answered && fv_pick) begin
      fv_on <= 1;
      fv_place <= fv_queued + 5'd1 - {4'd0, taken};
      fv_ahead <= fv_next;
    end
    if (past && !$past(reset) && $past(free && !taken)) assert (free);
  end
  always @(*) begin
    // terms of use: only what was offered leaves, at most 15 writes of a source and 15 answers are under way, the first of
    // which leaves when it may
    if (left) assume (fv_leaving != 0);
    for (int k = 0; k < 8; k = k + 1) if (fv_counts[4*k+:4] == 15) assume (!offers[k]);
    if (fv_queued == 15) assume (!answered);
    if (taken) assume (free);
    assume ((ends & ~(offers | open_q)) == 0);
    // k-induction
    assert (fv_queued <= 15 && {2'd0, frees_q} + {2'd0, under_q} + {2'd0, behind_q} == {2'd0, fv_queued});
    for (int k = 0; k < 8; k = k + 1) assert (fv_barriers[4*k+:4] <= fv_counts[4*k+:4]);
    if (fv_still >= 2) assert (frees_q == fv_queued);
    if (fv_still == 1) assert (behind_q == 0);
    if (fv_on) begin
      assert (fv_place != 0 && fv_place <= fv_queued && fv_ahead <= fv_count);
      if (fv_place <= frees_q) assert (fv_ahead == 0);
      else if (fv_place <= frees_q + under_q) assert (fv_ahead <= fv_barrier);
    end
  end
