// proof: design outlet, mode prove, depth 3
// The sink sees whole frames; what is offered stays until taken; once shut nothing is offered. Unbounded.
  logic past = 0;
  logic fv_inside = 0;   // the sink is in a frame
  always @(posedge clock) begin
    past <= 1;
    if (reset) fv_inside <= 0;
    else if (go && accept) fv_inside <= !last;
    if (past && !$past(reset) && $past(go && !accept)) begin
      assume (valid && last == $past(last));
      assert (go);
    end
    if (past && !$past(reset) && $past(shut) && close) assert (shut);
  end
  always @(*) begin
    if (shut) assert (!go && !fv_inside && !ready);
    if (go) assert (valid);
    // in a frame, and while nobody closes, the gate is not there
    if (fv_inside || !close) assert (go == valid && ready == accept);
    // k-induction
    if (fv_inside) assert (inside_q);
  end
