// proof: design arbiter, mode prove, depth 4
// What enters the slice is the beat that is taken, with its meta; frames unmixed, and no side waits for more than one frame.
// The slice has its own proof. Unbounded.
  logic past = 0;
  logic fv_in_frame = 0, fv_side = 0;
  wire fv_a = a_valid && a_ready, fv_b = b_valid && b_ready;
  always @(*) begin
    assert (!(a_ready && b_ready));
    assert ((slice_s_valid && slice_s_ready) == (fv_a || fv_b));
    if (fv_a) assert ({slice_s_meta, slice_s_beat} == {a_meta, a_beat});
    if (fv_b) assert ({slice_s_meta, slice_s_beat} == {b_meta, b_beat});
    assert ({m_valid, m_meta, m_beat} == {slice_m_valid, slice_m_meta, slice_m_beat} && slice_m_ready == m_ready);
  end
  always @(posedge clock) begin
    past <= 1;
    // offers hold
    if (past && !$past(reset)) begin
      if ($past(a_valid && !a_ready)) assume (a_valid);
      if ($past(b_valid && !b_ready)) assume (b_valid);
    end
    if (reset) fv_in_frame <= 0;
    else if (fv_a || fv_b) begin
      fv_in_frame <= fv_a ? !a_beat[67] : !b_beat[67];
      fv_side <= fv_b;
    end
    // a frame that has begun is not interrupted
    if (fv_in_frame && fv_a) assert (!fv_side);
    if (fv_in_frame && fv_b) assert (fv_side);
    // in turn: after a frame of the one side, the other's when it waits
    if (past && $past(!reset && fv_a && a_beat[67] && b_valid)) assert (owner_q);
    if (past && $past(!reset && fv_b && b_beat[67] && a_valid)) assert (!owner_q);
    // who waits where nobody is taken is taken in the next cycle, when there is a place
    if (past && $past(!reset && !fv_in_frame && slice_s_ready && (a_valid || b_valid) && !fv_a && !fv_b) && slice_s_ready)
      assert (fv_a || fv_b);
  end
  // k-induction: what the model says of the block's state
  always @(*) begin
    assert (busy_q == fv_in_frame);
    if (fv_in_frame) assert (owner_q == fv_side);
  end
