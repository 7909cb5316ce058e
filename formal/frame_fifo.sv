// proof: design frame_fifo_narrow, mode prove, depth 6
// Stream contract and counts: what is shown holds until taken and is of a frame that was kept; a frame that is not
// kept gives its room back; a beat without room is told by `overflow`, to its frame's end. Unbounded.
  logic past = 0;
  logic [3:0] kept = 0, tried = 0, taken = 0;  // beats committed; and with those of the frame under way; taken
  logic [5:0] frames = 0;                      // committed and not yet taken whole
  logic fv_spilt = 0;
  wire fv_write = write && !overflow;
  wire fv_take = m_valid && m_ready;
  wire [3:0] fv_inside = tried - taken, fv_whole = kept - taken;
  wire [3:0] fv_late = {3'd0, popped_q};  // the counts see it a cycle later
  always @(*) begin
    // a place ahead of the read pointer is a register that is not zero at first
    if (!past) assume (reset);
    // terms of use: a frame that is kept has a beat and is not spilt
    if (finish && keep) assume (!overflow && (write || fv_inside != fv_whole));
    // the inner FIFO's own proof
    if (metas_valid) assume (metas_level != 0);
  end
  always @(posedge clock) begin
    past <= 1;
    if (past && $past(metas_valid && !metas_read && !reset)) assume (metas_valid);
    if (reset) begin
      kept <= 0;
      tried <= 0;
      taken <= 0;
      frames <= 0;
      fv_spilt <= 0;
    end else begin
      if (finish && keep) kept <= tried + {3'd0, fv_write};
      tried <= finish && !keep ? kept : tried + {3'd0, fv_write};
      taken <= taken + {3'd0, fv_take};
      frames <= frames + {5'd0, finish && keep} - {5'd0, fv_take && m_beat[67]};
      fv_spilt <= !finish && (fv_spilt || overflow);
    end
    if (m_valid) assert (fv_whole != 0 && frames != 0);
    assert (level == fv_inside + fv_late && fv_inside + fv_late <= 8 && whole == frames);
    if (fv_spilt || (write && fv_inside == 8)) assert (overflow);
    if (write && fv_inside + fv_late != 8 && frames < 31 && !fv_spilt) assert (!overflow);
    if (past && $past(m_valid && !m_ready && !reset)) begin
      assert (m_valid);
      assert (m_beat == $past(m_beat));
    end
  end
  // k-induction
  always @(*) begin
    assert (wr_q == tried && start_q == kept && rd_q == taken && spilt_q == fv_spilt);
    assert (used_q == fv_inside + fv_late && held_q == fv_whole + fv_late && metas_level == frames);
    assert (fv_whole <= fv_inside && fv_inside + fv_late <= 8);
    if (past) assert (rd_more_q == rd_q + 4'd1);
    assert (crowded_q == (frames == 31) && frames <= 31);
    assert (full_q == used_q[3]);
    if (frames == 31) assert (fv_inside == fv_whole);
    if (full_word_q) assert (fv_whole != 0);
  end
