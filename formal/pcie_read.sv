// proof: design pcie_read, mode prove, depth 3, faults 13
// Both outputs hold what they offer. A read is begun only with a tag that is neither outstanding, nor in the buffer still, nor
// at rest; each client's tags are given out and freed in order; what is outstanding when the function is reset rests (6.6.2).
// No client waits for another: what can be sent is begun within 48 cycles, and what has come is begun to be handed on within 188,
// if both outputs are taken at once. Unbounded; data are the block's test's.
  logic past = 0;
  (* anyconst *) logic [4:0] fv_tag;  // any tag, of any client
  (* anyconst *) logic fv_live;       // outputs are always taken
  wire [2:0] fv_client = fv_tag[4] ? {2'b10, fv_tag[3]} : {1'b0, fv_tag[3:2]};
  wire [23:0] fv_nexts = {next_5_q, next_4_q, next_3_q, next_2_q, next_1_q, next_0_q};
  wire [23:0] fv_heads = {head_5_q, head_4_q, head_3_q, head_2_q, head_1_q, head_0_q};
  wire [3:0] fv_next = fv_nexts >> {fv_client, 2'b00}, fv_head = fv_heads >> {fv_client, 2'b00};
  wire [3:0] fv_most = fv_client[2] ? 4'd8 : 4'd4, fv_used = fv_next - fv_head;
  wire [3:0] fv_mask = fv_most - 4'd1;
  // the tag's place in its ring: how far behind the head
  wire [3:0] fv_place = (fv_tag - fv_head) & fv_mask;
  wire fv_inside = fv_place < fv_used;
  wire [4:0] fv_base = fv_client[2] ? {1'b1, fv_client[0], 3'b0} : {fv_client, 2'b0};
  wire [4:0] fv_next_tag = fv_base | {1'b0, fv_next & fv_mask}, fv_head_tag = fv_base | {1'b0, fv_head & fv_mask};
  wire fv_issues = who_q == fv_client && state_q != 0, fv_drains = drain_client_q == fv_client && drain_q != 0;
  // what the choice of a client looks at, a cycle later
  wire fv_can = pending_q[fv_client] && fv_used != fv_most && !resting_q[fv_next_tag];
  wire fv_done = fv_used != 0 && !waiting_q[fv_head_tag];
  // others that may come first, and what is left of the turn that is
  wire [5:0] fv_before = who_q > fv_client ? who_q - fv_client - 1 : who_q + 5 - fv_client;
  wire [5:0] fv_first = drain_client_q > fv_client ? drain_client_q - fv_client - 1 : drain_client_q + 5 - fv_client;
  wire [5:0] fv_rest = state_q == 0 ? 0 : state_q == 6 ? (closes ? 3 : 2) : state_q == 7 ? 1 : 9 - state_q;
  wire [5:0] fv_flow = drain_q == 0 ? 0 : drain_q == 1 ? 36 : drain_q == 2 ? 35 : drain_q == 3 ? drain_left_q + 2 : 6 - drain_q;
  logic [7:0] fv_asked = 0, fv_came = 0;  // cycles waited
  always @(posedge clock) begin
    past <= 1;
    if (past) assume (id == $past(id));
    if (past && $past(!reset)) begin
      if ($past(m_valid && !m_ready)) assert (m_valid && m_beat == $past(m_beat));
      if ($past(d_valid && !d_ready)) assert (d_valid && d_beat == $past(d_beat) && d_client == $past(d_client));
      // the buffer's word stands while it can't leave: its place is not free before
      if ($past(read_valid_q && !move_out)) assert (read_valid_q);
    end
    if (past && $past(reset && !down && waiting_q[fv_tag] && !age && !wakes_q)) assert (resting_q[fv_tag]);
    if (past && $past(reset && !down && state_q == 6 && tag_q == fv_tag && !age && !wakes_q)) assert (resting_q[fv_tag]);
    fv_asked <= reset || !fv_can || !can_q[fv_client] || fv_issues ? 0 : fv_asked + 1;
    fv_came <= reset || !fv_done || !done_q[fv_client] || fv_drains ? 0 : fv_came + 1;
  end
  always @(*) begin
    if (down) assume (reset);
    assume (client < 6 && (!s_valid || length[12:3] != 0));
    if (fv_live) assume (m_ready && d_ready);
    assume (fv_client < 6);
    // what the memories hold is what was written
    if (state_q == 1) assume (slot_read_data[70:61] != 0);
    if (drain_q == 2) assume (plan_read_data[5:0] != 0 && plan_read_data[5:0] <= 32);
    if (slot_write_enable && (state_q != 6 || !is_last_q)) assert (slot_write_data[70:61] != 0);
    if (plan_write_enable) assert (plan_write_data[5:0] != 0 && plan_write_data[5:0] <= 32);
    // rings
    assert (fv_used <= fv_most);
    for (int k = 0; k < 8; k = k + 1)
      assert (!waiting_q[fv_base | (k[4:0] & {1'b0, fv_mask})] || ((k[3:0] - fv_head) & fv_mask) < fv_used);
    if (expires_q) assert (waiting_q[scan_tag_q]);
    if (rests_q) assert (clear_q && waiting_q[mark_tag_q]);
    if (fv_drains && drain_q != 5) assert (fv_done && !steps_q[fv_client]);
    if (fv_issues && state_q < 7) assert (fv_can && !steps_q[fv_client] && (state_q == 1 || tag_q == fv_next_tag));
    // a tag is given out when it is nowhere else
    if (m_valid && tag_q == fv_tag && fv_issues) assert (!waiting_q[fv_tag] && !resting_q[fv_tag] && !fv_inside);
    // bounded response
    if (fv_live) assert (fv_asked <= 46 && fv_came <= 186);
    // k-induction
    if (state_q != 0) assert (who_q < 6);
    if (state_q >= 2 && state_q < 7) assert (who_q == (tag_q[4] ? {2'b10, tag_q[3]} : {1'b0, tag_q[3:2]}));
    if (drain_q != 0) assert (drain_client_q < 6);
    assert (who_q < 6 && drain_client_q < 6 && drain_q <= 5);
    if (steps_q[fv_client]) assert (fv_used == 0 && !can_q[fv_client]);
    if (state_q == 0 && can_q[fv_client]) assert (fv_can);
    if (drain_q == 0 && done_q[fv_client]) assert (fv_done);
    if (state_q == 4 || state_q == 5) assert (size_q != 0 && size_q <= 32);
    if (state_q >= 2 && state_q < 7) assert (left_q != 0);
    if (state_q >= 3 && state_q < 7) assert (room_q != 0 && room_q <= 32);
    if (state_q >= 4 && state_q < 7) assert (size_q != 0 && size_q <= 32 && size_q <= left_q && is_last_q == (size_q == left_q));
    if (drain_q == 3) assert (drain_left_q != 0 && drain_left_q <= 32);
    if (drain_q == 4) assert (read_valid_q);
    if (drain_q < 3 || drain_q == 5) assert (!read_valid_q);
    if (fv_live && fv_can && can_q[fv_client] && !fv_issues)
      assert (fv_asked + 9 * fv_before + fv_rest + 1 <= 46);
    if (fv_live && fv_done && done_q[fv_client] && !fv_drains)
      assert (fv_came + 37 * fv_first + fv_flow + 1 <= 186);
  end
