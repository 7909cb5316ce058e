// proof: design inlet, mode prove, depth 3
// The card sees whole frames, or their beginnings up to `hold`; outside of `hold` none is lost. Unbounded.
  logic past = 0;
  logic fv_inside = 0;   // the source is in a frame
  logic fv_whole = 0;    // of which the card has had every beat
  wire fv_taken = valid && ready;
  always @(posedge clock) begin
    past <= 1;
    if (reset) begin
      fv_inside <= 0;
      fv_whole <= 0;
    end else begin
      if (fv_taken) fv_inside <= !last;
      if (hold) fv_whole <= 0;
      else if (fv_taken) fv_whole <= !last && go;
    end
  end
  always @(*) begin
    assert (!(go && hold));
    // a beat that is not a frame's first is shown only after all before it
    if (go && fv_inside) assert (fv_whole);
    // a frame that begins outside of hold is shown, and so is the rest of it
    if (valid && !hold && (!fv_inside || fv_whole)) assert (go);
    // what is shown moves when the card takes it; what is not is taken at once
    if (valid) assert (ready == (accept || !go));
    // k-induction
    assert (inside_q == fv_inside);
    assert (skip_q == (fv_inside && !fv_whole));
  end
