// proof: design frame_fifo_narrow, mode bmc, depth 9
// A kept frame comes out whole and in order under its meta; one that is not kept leaves no beat, whether it was
// taken back or spilt over. Frames are written with any stalls, finished with and without a write; the reader stalls at will.
  (* anyconst *) logic [4:0] fv_n;
  logic [4:0] kept = 0, tried = 0, taken = 0;  // beats committed; and with those of the frame under way; taken
  logic [7:0] fv_word;
  logic [3:0] fv_meta;
  logic past = 0;
  logic fv_known = 0, fv_sure = 0, fv_last = 0;
  wire fv_write = write && !overflow;
  always @(*) begin
    // one cycle of reset, and nothing meanwhile
    assume (reset == !past);
    if (reset) assume (!write && !finish && !m_ready);
    // terms of use: `last` marks the beat that `finish` comes with, a frame has a beat, a spilt one is not kept
    if (write) assume (beat_in[67] == finish);
    if (finish && keep) assume (write && !overflow);
    assume (beat_in[63:8] == 0);
    assume (beat_in[66:64] == 7 && !beat_in[68]);
  end
  always @(posedge clock) begin
    past <= 1;
    if (fv_write && tried == fv_n) begin
      fv_word <= beat_in[7:0];
      fv_last <= beat_in[67];
      fv_known <= 1;
    end
    if (finish && keep) begin
      kept <= tried + 5'd1;
      tried <= tried + 5'd1;
      if (!fv_sure && fv_n >= kept && fv_n <= tried) begin
        fv_sure <= 1;
        fv_meta <= meta_in;
      end
    end else if (finish) tried <= kept;
    else if (fv_write) tried <= tried + 5'd1;
    if (m_valid && m_ready) taken <= taken + 5'd1;
    if (m_valid) begin
      assert (taken < kept);
      if (taken == fv_n) begin
        assert (fv_known && fv_sure);
        assert (m_beat[7:0] == fv_word && m_beat[67] == fv_last);
        assert (m_meta == fv_meta);
      end
    end
  end
