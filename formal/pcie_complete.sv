// proof: design pcie_complete, mode prove, depth 6
// 2.4.1: posted requests wait for nothing that waits for a completion to leave. A posted request is taken within 20 cycles,
// whether answers leave or not, if the register bus answers within 8. What is offered holds. Unbounded.
  logic past = 0;
  logic [3:0] fv_bus = 0;     // cycles that the register bus has taken
  logic [4:0] fv_wait = 0;    // cycles that a posted request has waited
  wire fv_busy = read || write;
  // cycles that what is under way takes at most
  wire [4:0] fv_says = off_q ? 5'd2 : 5'd0;
  wire [4:0] fv_left =
    state_q == 0 ? (says ? 5'd2 : 5'd0) :
    state_q == 1 ? 5'd20 :
    state_q == 2 ? 5'd17 - {1'b0, fv_bus} + fv_says :
    state_q == 3 ? 5'd9 - {1'b0, fv_bus} + fv_says : 5'd1 + fv_says;
  always @(posedge clock) begin
    past <= 1;
    // fairness: the register bus answers, in its eighth cycle at the latest, and only when asked
    assume (!(ack && !fv_busy));
    if (fv_bus == 7) assume (ack);
    fv_bus <= reset || !fv_busy || ack ? 0 : fv_bus + 1;
    if (past) begin
      if ($past(posted_valid && !posted_ready)) assume (posted_valid && posted == $past(posted) && payload == $past(payload));
      assume (id == $past(id));
      // the order's own proof
      if ($past(may_leave && !taken && !reset)) assume (may_leave);
      // what the answers' queue shows holds: its own proof
      if ($past(answers_valid && !answers_read && !reset)) assume (answers_valid && answers_data_out == $past(answers_data_out));
      if ($past(m_valid && !m_ready && !reset))
        assert (m_valid && m_beat == $past(m_beat) && m_data == $past(m_data) && m_message == $past(m_message));
    end
    fv_wait <= reset || !posted_valid || posted_ready ? 0 : fv_wait + 1;
  end
  always @(*) begin
    assert (fv_wait <= 20);
    if (state_q == 0 && !says) assert (posted_ready);
    // k-induction: what is left of it has a bound
    assert (state_q <= 4 && fv_bus <= 7);
    if (state_q != 2 && state_q != 3) assert (fv_bus == 0);
    if (posted_valid && !posted_ready) assert (fv_wait + fv_left <= 20);
  end
