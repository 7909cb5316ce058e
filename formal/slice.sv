// proof: design slice, mode bmc, depth 12
// The n-th beat out is the n-th beat in with its meta, for every n; a beat that is offered holds until it is taken; ready
// knows nothing of the output in the same cycle.
  (* anyconst *) logic [3:0] fv_n;
  logic past = 0;
  logic [3:0] written = 0, taken = 0;
  logic [76:0] fv_word;
  logic fv_known = 0;
  always @(*) begin
    assume (!reset);
    assert (written - taken == {3'd0, full_q} + {3'd0, waits_q});
    assert (s_ready == !waits_q);
    if (waits_q) assert (full_q);
  end
  always @(posedge clock) begin
    past <= 1;
    written <= written + {3'd0, s_valid && s_ready};
    taken <= taken + {3'd0, m_valid && m_ready};
    if (s_valid && s_ready && written == fv_n) begin
      fv_word <= {s_meta, s_beat};
      fv_known <= 1;
    end
    if (m_valid && taken == fv_n) begin
      assert (fv_known);
      assert ({m_meta, m_beat} == fv_word);
    end
    if (past && $past(m_valid && !m_ready)) begin
      assert (m_valid);
      assert ({m_meta, m_beat} == $past({m_meta, m_beat}));
    end
  end
