// proof: design pcie_send, mode prove, depth 8
// Stream contract of the TLPs sent, TLPs unmixed, nothing lost or made up, and none begun beyond the credits, which are the
// link's: a reset gives back those of the TLP that it cuts, and no others. Unbounded.
  logic past = 0;
  logic fv_full = 0;
  logic [68:0] fv_word;
  logic [1:0] fv_owner = 0;
  wire fv_p = p_valid && p_ready, fv_n = n_valid && n_ready, fv_c = c_valid && c_ready;
  wire fv_any = fv_p || fv_n || fv_c;
  wire fv_last = fv_p ? p_beat[67] : fv_n ? n_beat[67] : c_beat[67];
  // TLPs that went whole, as the partner counts them, and the one that is being sent
  logic [7:0] fv_ph = 0, fv_nph = 0, fv_cplh = 0;
  wire [7:0] fv_ph_left = fc_ph - fv_ph, fv_nph_left = fc_nph - fv_nph, fv_cplh_left = fc_cplh - fv_cplh;
  wire fv_posts = owner_q == 1 || owner_q == 3 && cost_ph_q;
  always @(*) begin
    if (down) assume (reset);
    assert (!(p_ready && n_ready) && !(p_ready && c_ready) && !(n_ready && c_ready));
    // a header is three double words or four: no TLP has one beat
    if (fv_owner == 0) assume (!(fv_any && fv_last));
    // limits are cumulative: never behind what was used, never more than half the field ahead (2.6.1)
    assume (fv_ph_left <= 8'h80 && fv_nph_left <= 8'h80 && fv_cplh_left <= 8'h80);
  end
  always @(posedge clock) begin
    past <= 1;
    // offers hold
    if (past && !$past(reset)) begin
      if ($past(p_valid && !p_ready)) assume (p_valid && p_beat == $past(p_beat) && p_credits == $past(p_credits));
      if ($past(n_valid && !n_ready)) assume (n_valid && n_beat == $past(n_beat));
      if ($past(c_valid && !c_ready)) assume (c_valid && c_beat == $past(c_beat) && c_data == $past(c_data) && c_message == $past(c_message));
    end
    if (past && !$past(down)) begin
      // the limit is never taken back
      assume (fc_ph - $past(fc_ph) < 8'h80 && fc_nph - $past(fc_nph) < 8'h80 && fc_cplh - $past(fc_cplh) < 8'h80);
      assume (fc_infinite == $past(fc_infinite));
    end
    fv_full <= reset ? 1'b0 : (fv_any || (fv_full && !m_ready));
    if (fv_p) fv_word <= p_beat;
    if (fv_n) fv_word <= n_beat;
    if (fv_c) fv_word <= c_beat;
    if (reset) fv_owner <= 0;
    else if (fv_any) fv_owner <= fv_last ? 2'd0 : fv_p ? 2'd1 : fv_n ? 2'd2 : 2'd3;
    if (down) begin
      fv_ph <= 0;
      fv_nph <= 0;
      fv_cplh <= 0;
    end else if (!reset && fv_any && fv_last) begin
      fv_ph <= fv_ph + {7'd0, fv_posts};
      fv_nph <= fv_nph + {7'd0, fv_n};
      fv_cplh <= fv_cplh + {7'd0, fv_c && !fv_posts};
    end
    if (fv_owner != 0 && fv_any) assert (fv_owner == (fv_p ? 2'd1 : fv_n ? 2'd2 : 2'd3));
    if (fv_owner == 0 && !reset) begin
      if (fv_any && fv_posts && !fc_infinite[0]) assert (fv_ph_left != 0);
      if (fv_n && !fc_infinite[2]) assert (fv_nph_left != 0);
      if (fv_c && !fv_posts && !fc_infinite[3]) assert (fv_cplh_left != 0);
    end
    if (past && $past(m_valid && !m_ready && !reset)) begin
      assert (m_valid);
      assert (m_beat == $past(m_beat));
    end
  end
  always @(*) begin
    assert (m_valid == fv_full);
    if (fv_full) assert (m_beat == fv_word);
    // a write is told of when its last TLP has the output, not before
    if (left) assert (owner_q == 1);
    // a TLP is chosen, and its credits are taken, before its first beat
    if (fv_owner != 0) assert (owner_q == fv_owner);
    assert (used_ph_q == fv_ph + {7'd0, fv_posts});
    assert (used_nph_q == fv_nph + {7'd0, owner_q == 2});
    assert (used_cplh_q == fv_cplh + {7'd0, owner_q == 3 && !fv_posts});
    if (owner_q != 0) assert (cost_ph_q == fv_posts && cost_nph_q == (owner_q == 2) && cost_cplh_q == (owner_q == 3 && !fv_posts));
    if (fv_owner == 0) begin
      if (fv_posts && !fc_infinite[0]) assert (fv_ph_left != 0);
      if (owner_q == 2 && !fc_infinite[2]) assert (fv_nph_left != 0);
      if (owner_q == 3 && !fv_posts && !fc_infinite[3]) assert (fv_cplh_left != 0);
    end
  end
