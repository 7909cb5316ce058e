// proof: design pcie_read, mode prove, depth 10
// Both outputs hold what they offer; a read is begun only with a tag that is neither outstanding nor in the
// buffer still, and tags are freed in order, when their last word has left. Unbounded; data are the block's test's.
  logic past = 0;
  logic fv_last = 0;  // a tag's last word stands between buffer and output
  wire [5:0] fv_used = next_tag_q - free_tag_q, fv_behind = head_tag_q - free_tag_q, fv_left = next_tag_q - head_tag_q;
  always @(posedge clock) begin
    past <= 1;
    if (past) assume (id == $past(id));
    if (past && $past(!reset)) begin
      if ($past(m_valid && !m_ready)) assert (m_valid && m_beat == $past(m_beat));
      if ($past(d_valid && !d_ready)) assert (d_valid && d_beat == $past(d_beat) && d_client == $past(d_client));
      // the buffer's word stands while it can't leave: its place is not free before
      if ($past(read_valid_q && !move_out)) assert (read_valid_q);
      if ($past(free_tag_q) != free_tag_q) assert ($past(read_valid_q && read_end_q && move_out));
    end
    if (m_valid && !reset) assert (fv_used < 32);
  end
  always @(*) begin
    assert (state_q <= 6);
    assert (fv_used <= 32 && fv_left <= 32);
    assert (fv_behind == {5'd0, read_valid_q && read_end_q});
    if (drain_q != 0) assert (fv_left != 0);
    if (state_q >= 4) assert (fv_used < 32);
    // one that timed out rests before its data have left
    if (rests_q) assert (clear_q && drain_q == 2 && mark_tag_q == head_tag_q[4:0]);
    if (state_q == 3 && has_tag_q && awake_q) assert (fv_used < 32 && !resting_q[next_tag_q[4:0]]);
  end
