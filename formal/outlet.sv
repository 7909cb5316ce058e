// proof: design outlet, mode prove, depth 4
// The sink sees whole frames; what is offered stays; a frame that the reset cut ends with its mark, before anything else;
// with a sink that takes a beat, the outlet is the card's again two beats after the cut at most. Unbounded.
  logic past = 0;
  logic fv_source = 0;   // the card is in a frame
  logic fv_sink = 0;     // the sink is in a frame
  logic fv_cut = 0;      // of which the card will not bring the rest
  logic [1:0] fv_taken = 0;
  wire fv_in = s_valid && s_ready, fv_out = m_valid && m_ready;
  wire [73:0] fv_s = {s_data, s_keep, s_last, s_user}, fv_m = {m_data, m_keep, m_last, m_user};
  always @(posedge clock) begin
    past <= 1;
    if (past) begin
      // the card: an offer holds, and is gone from the second cycle of a cut on
      if ($past(s_valid && !s_ready && !cut && !reset)) assume (s_valid && fv_s == $past(fv_s));
      if ($past(cut && !reset)) assume (!s_valid);
      if ($past(m_valid && !m_ready && !reset)) assert (m_valid && fv_m == $past(fv_m));
    end
    if (reset) begin
      fv_source <= 0;
      fv_sink <= 0;
      fv_cut <= 0;
    end else begin
      if (cut) fv_source <= 0;
      else if (fv_in) fv_source <= !s_last;
      if (fv_out) fv_sink <= !m_last;
      // the beat that is offered when the cut comes may be its frame's last
      if (cut && !ends_q) fv_cut <= s_valid ? !s_last : fv_sink;
      else if (fv_out && m_last) fv_cut <= 0;
    end
    // two beats that the sink takes after a cut are enough: the one that was offered, and the end
    if (reset || !ends_q) fv_taken <= 0;
    else if (m_ready) fv_taken <= fv_taken + 1;
  end
  always @(*) begin
    if (ends_q) assert (fv_taken < 2);
    // a beat of the card's goes where it belongs: no frame's first into another frame
    if (fv_in) assert (fv_source == fv_sink && !fv_cut && m_valid && fv_m == fv_s);
    // while nothing is cut the gate is not there
    if (!ends_q) assert (m_valid == s_valid && s_ready == m_ready);
    // a frame that the reset cut is marked
    if (fv_out && fv_cut && m_last) assert (m_user);
    // k-induction
    assert (inside_q == fv_sink);
    if (!ends_q) assert (fv_source == fv_sink && !fv_cut && !holds_q);
    if (ends_q) assert (!fv_source && (holds_q ? fv_taken == 0 && fv_cut == !last_q : fv_cut && fv_sink));
    if (ends_q && holds_q && last_q) assert (fv_taken == 0);
  end
