module ipos_card_registers (
  input  logic clock,
  input  logic reset,
  input  logic [15:0] address,
  input  logic [31:0] wdata,
  input  logic write,
  input  logic read,
  output logic [31:0] rdata,
  output logic ack,
  input  logic [31:0] build,
  output logic [15:0] ethertype,
  output logic [47:0] front_mac,
  output logic front_promiscuous,
  output logic [31:0] front_vlan,
  output logic [47:0] back_mac,
  output logic back_promiscuous,
  output logic [31:0] back_vlan,
  output logic [96:0] key,
  output logic [31:0] value,
  output logic [11:0] slot,
  output logic [1:0] bank,
  output logic entry_valid,
  output logic commit_forward,
  output logic commit_endpoint,
  input  logic committed,
  output logic [51:0] dest,
  output logic commit_dest,
  output logic [48:0] neighbour,
  output logic commit_neighbour,
  output logic [7:0] index,
  output logic [3:0] outcome_code,
  output logic front_read,
  input  logic front_ack,
  input  logic [63:0] front_value,
  output logic back_read,
  input  logic back_ack,
  input  logic [63:0] back_value,
  input  logic [63:0] front_rx,
  input  logic [63:0] front_tx,
  input  logic [63:0] back_rx,
  input  logic [63:0] back_tx
);
  logic wants_read;
  logic wants_write;
  logic is_front;
  logic is_back;
  logic [63:0] wide;
  logic counts;
  logic [31:0] r;
  logic [15:0] ethertype_reg_d;
  logic [15:0] ethertype_reg_q;
  logic [31:0] front_lo_d;
  logic [31:0] front_lo_q;
  logic [31:0] front_hi_d;
  logic [31:0] front_hi_q;
  logic [31:0] front_vid_d;
  logic [31:0] front_vid_q;
  logic [31:0] back_lo_d;
  logic [31:0] back_lo_q;
  logic [31:0] back_hi_d;
  logic [31:0] back_hi_q;
  logic [31:0] back_vid_d;
  logic [31:0] back_vid_q;
  logic [31:0] key0_d;
  logic [31:0] key0_q;
  logic [31:0] key1_d;
  logic [31:0] key1_q;
  logic [31:0] key2_d;
  logic [31:0] key2_q;
  logic [31:0] key3_d;
  logic [31:0] key3_q;
  logic [31:0] value_reg_d;
  logic [31:0] value_reg_q;
  logic [31:0] dest_ip_d;
  logic [31:0] dest_ip_q;
  logic [31:0] dest_port_d;
  logic [31:0] dest_port_q;
  logic [31:0] neighbour_lo_d;
  logic [31:0] neighbour_lo_q;
  logic [31:0] neighbour_hi_d;
  logic [31:0] neighbour_hi_q;
  logic [31:0] high_d;
  logic [31:0] high_q;
  logic [31:0] commit_d;
  logic [31:0] commit_q;
  logic pending_forward_d;
  logic pending_forward_q;
  logic pending_endpoint_d;
  logic pending_endpoint_q;
  logic strobe_dest_d;
  logic strobe_dest_q;
  logic strobe_neighbour_d;
  logic strobe_neighbour_q;
  logic [31:0] rdata_reg_d;
  logic [31:0] rdata_reg_q;
  logic ack_reg_d;
  logic ack_reg_q;
  initial ethertype_reg_q = 16'h0;
  always @(posedge clock) ethertype_reg_q <= ethertype_reg_d;
  initial front_lo_q = 32'h0;
  always @(posedge clock) front_lo_q <= front_lo_d;
  initial front_hi_q = 32'h0;
  always @(posedge clock) front_hi_q <= front_hi_d;
  initial front_vid_q = 32'h0;
  always @(posedge clock) front_vid_q <= front_vid_d;
  initial back_lo_q = 32'h0;
  always @(posedge clock) back_lo_q <= back_lo_d;
  initial back_hi_q = 32'h0;
  always @(posedge clock) back_hi_q <= back_hi_d;
  initial back_vid_q = 32'h0;
  always @(posedge clock) back_vid_q <= back_vid_d;
  initial key0_q = 32'h0;
  always @(posedge clock) key0_q <= key0_d;
  initial key1_q = 32'h0;
  always @(posedge clock) key1_q <= key1_d;
  initial key2_q = 32'h0;
  always @(posedge clock) key2_q <= key2_d;
  initial key3_q = 32'h0;
  always @(posedge clock) key3_q <= key3_d;
  initial value_reg_q = 32'h0;
  always @(posedge clock) value_reg_q <= value_reg_d;
  initial dest_ip_q = 32'h0;
  always @(posedge clock) dest_ip_q <= dest_ip_d;
  initial dest_port_q = 32'h0;
  always @(posedge clock) dest_port_q <= dest_port_d;
  initial neighbour_lo_q = 32'h0;
  always @(posedge clock) neighbour_lo_q <= neighbour_lo_d;
  initial neighbour_hi_q = 32'h0;
  always @(posedge clock) neighbour_hi_q <= neighbour_hi_d;
  initial high_q = 32'h0;
  always @(posedge clock) high_q <= high_d;
  initial commit_q = 32'h0;
  always @(posedge clock) commit_q <= commit_d;
  initial pending_forward_q = 1'h0;
  always @(posedge clock) pending_forward_q <= pending_forward_d;
  initial pending_endpoint_q = 1'h0;
  always @(posedge clock) pending_endpoint_q <= pending_endpoint_d;
  initial strobe_dest_q = 1'h0;
  always @(posedge clock) strobe_dest_q <= strobe_dest_d;
  initial strobe_neighbour_q = 1'h0;
  always @(posedge clock) strobe_neighbour_q <= strobe_neighbour_d;
  initial rdata_reg_q = 32'h0;
  always @(posedge clock) rdata_reg_q <= rdata_reg_d;
  initial ack_reg_q = 1'h0;
  always @(posedge clock) ack_reg_q <= ack_reg_d;
  always_comb begin
    ethertype_reg_d = ethertype_reg_q;
    front_lo_d = front_lo_q;
    front_hi_d = front_hi_q;
    front_vid_d = front_vid_q;
    back_lo_d = back_lo_q;
    back_hi_d = back_hi_q;
    back_vid_d = back_vid_q;
    key0_d = key0_q;
    key1_d = key1_q;
    key2_d = key2_q;
    key3_d = key3_q;
    value_reg_d = value_reg_q;
    dest_ip_d = dest_ip_q;
    dest_port_d = dest_port_q;
    neighbour_lo_d = neighbour_lo_q;
    neighbour_hi_d = neighbour_hi_q;
    high_d = high_q;
    commit_d = commit_q;
    pending_forward_d = pending_forward_q;
    pending_endpoint_d = pending_endpoint_q;
    strobe_dest_d = strobe_dest_q;
    strobe_neighbour_d = strobe_neighbour_q;
    rdata_reg_d = rdata_reg_q;
    ack_reg_d = ack_reg_q;
    wants_read = (read & (~ack_reg_q));
    wants_write = (((write & (~ack_reg_q)) & (~pending_forward_q)) & (~pending_endpoint_q));
    is_front = (address[15:6] == 10'hd);
    is_back = (address[15:6] == 10'he);
    outcome_code = address[5:2];
    front_read = (wants_read & is_front);
    back_read = (wants_read & is_back);
    wide = 64'h0;
    counts = 1'h1;
    if (is_front) begin
      wide = front_value;
    end else begin
      if (is_back) begin
        wide = back_value;
      end else begin
        if ((address == 16'h3c0)) begin
          wide = front_rx;
        end else begin
          if ((address == 16'h3c4)) begin
            wide = front_tx;
          end else begin
            if ((address == 16'h3c8)) begin
              wide = back_rx;
            end else begin
              if ((address == 16'h3cc)) begin
                wide = back_tx;
              end else begin
                counts = 1'h0;
              end
            end
          end
        end
      end
    end
    r = wide[31:0];
    if ((address == 16'h0)) begin
      r = 32'h10001;
    end
    if ((address == 16'h4)) begin
      r = 32'h100;
    end
    if ((address == 16'h8)) begin
      r = 32'h69704f53;
    end
    if ((address == 16'hc)) begin
      r = 32'h1;
    end
    if ((address == 16'h10)) begin
      r = build;
    end
    if ((address == 16'h14)) begin
      r = 32'h40;
    end
    if ((address == 16'h18)) begin
      r = 32'h2;
    end
    if ((address == 16'h1c)) begin
      r = 32'ha;
    end
    if ((address == 16'h20)) begin
      r = 32'h9;
    end
    if ((address == 16'h100)) begin
      r = 32'h20001;
    end
    if ((address == 16'h104)) begin
      r = 32'h200;
    end
    if ((address == 16'h108)) begin
      r = {16'h0, ethertype_reg_q};
    end
    if ((address == 16'h110)) begin
      r = front_lo_q;
    end
    if ((address == 16'h114)) begin
      r = front_hi_q;
    end
    if ((address == 16'h118)) begin
      r = front_vid_q;
    end
    if ((address == 16'h120)) begin
      r = back_lo_q;
    end
    if ((address == 16'h124)) begin
      r = back_hi_q;
    end
    if ((address == 16'h128)) begin
      r = back_vid_q;
    end
    if ((address == 16'h200)) begin
      r = 32'h30001;
    end
    if ((address == 16'h204)) begin
      r = 32'h300;
    end
    if ((address == 16'h208)) begin
      r = key0_q;
    end
    if ((address == 16'h20c)) begin
      r = key1_q;
    end
    if ((address == 16'h210)) begin
      r = key2_q;
    end
    if ((address == 16'h214)) begin
      r = key3_q;
    end
    if ((address == 16'h218)) begin
      r = value_reg_q;
    end
    if ((address == 16'h230)) begin
      r = dest_ip_q;
    end
    if ((address == 16'h234)) begin
      r = dest_port_q;
    end
    if ((address == 16'h240)) begin
      r = neighbour_lo_q;
    end
    if ((address == 16'h244)) begin
      r = neighbour_hi_q;
    end
    if ((address == 16'h300)) begin
      r = 32'h40001;
    end
    if ((address == 16'h308)) begin
      r = high_q;
    end
    ack_reg_d = 1'h0;
    if (wants_read) begin
      rdata_reg_d = r;
      if (((counts & ((~is_front) | front_ack)) & ((~is_back) | back_ack))) begin
        high_d = wide[63:32];
      end
      ack_reg_d = (((~is_front) | front_ack) & ((~is_back) | back_ack));
    end
    strobe_dest_d = 1'h0;
    strobe_neighbour_d = 1'h0;
    if (wants_write) begin
      ack_reg_d = 1'h1;
      if ((address == 16'h108)) begin
        ethertype_reg_d = wdata[15:0];
      end
      if ((address == 16'h110)) begin
        front_lo_d = wdata;
      end
      if ((address == 16'h114)) begin
        front_hi_d = wdata;
      end
      if ((address == 16'h118)) begin
        front_vid_d = wdata;
      end
      if ((address == 16'h120)) begin
        back_lo_d = wdata;
      end
      if ((address == 16'h124)) begin
        back_hi_d = wdata;
      end
      if ((address == 16'h128)) begin
        back_vid_d = wdata;
      end
      if ((address == 16'h208)) begin
        key0_d = wdata;
      end
      if ((address == 16'h20c)) begin
        key1_d = wdata;
      end
      if ((address == 16'h210)) begin
        key2_d = wdata;
      end
      if ((address == 16'h214)) begin
        key3_d = wdata;
      end
      if ((address == 16'h218)) begin
        value_reg_d = wdata;
      end
      if ((address == 16'h230)) begin
        dest_ip_d = wdata;
      end
      if ((address == 16'h234)) begin
        dest_port_d = wdata;
      end
      if ((address == 16'h240)) begin
        neighbour_lo_d = wdata;
      end
      if ((address == 16'h244)) begin
        neighbour_hi_d = wdata;
      end
      if ((address == 16'h238)) begin
        commit_d = wdata;
        strobe_dest_d = 1'h1;
      end
      if ((address == 16'h248)) begin
        commit_d = wdata;
        strobe_neighbour_d = 1'h1;
      end
      if ((address == 16'h220)) begin
        commit_d = wdata;
        pending_forward_d = 1'h1;
        ack_reg_d = 1'h0;
      end
      if ((address == 16'h224)) begin
        commit_d = wdata;
        pending_endpoint_d = 1'h1;
        ack_reg_d = 1'h0;
      end
    end
    if (committed) begin
      pending_forward_d = 1'h0;
      pending_endpoint_d = 1'h0;
      ack_reg_d = 1'h1;
    end
    rdata = rdata_reg_q;
    ack = ack_reg_q;
    ethertype = ethertype_reg_q;
    front_mac = (({16'h0, front_hi_q} << 32) | {16'h0, front_lo_q});
    front_promiscuous = front_hi_q[31];
    front_vlan = front_vid_q;
    back_mac = (({16'h0, back_hi_q} << 32) | {16'h0, back_lo_q});
    back_promiscuous = back_hi_q[31];
    back_vlan = back_vid_q;
    key = (((({65'h0, key3_q} << 96) | ({65'h0, key2_q} << 64)) | ({65'h0, key1_q} << 32)) | {65'h0, key0_q});
    value = value_reg_q;
    slot = commit_q[11:0];
    bank = commit_q[17:16];
    entry_valid = commit_q[31];
    commit_forward = pending_forward_q;
    commit_endpoint = pending_endpoint_q;
    dest = (({20'h0, dest_port_q} << 32) | {20'h0, dest_ip_q});
    commit_dest = strobe_dest_q;
    neighbour = (({33'h0, neighbour_hi_q[15:0]} << 32) | {17'h0, neighbour_lo_q});
    if (neighbour_hi_q[31]) begin
      neighbour = ((({33'h0, neighbour_hi_q[15:0]} << 32) | {17'h0, neighbour_lo_q}) | (49'h1 << 48));
    end
    commit_neighbour = strobe_neighbour_q;
    index = commit_q[7:0];
    if (reset) begin
      ethertype_reg_d = 16'h7;
      front_lo_d = 32'h0;
      front_hi_d = 32'h0;
      front_vid_d = 32'h0;
      back_lo_d = 32'h0;
      back_hi_d = 32'h0;
      back_vid_d = 32'h0;
      key0_d = 32'h0;
      key1_d = 32'h0;
      key2_d = 32'h0;
      key3_d = 32'h0;
      value_reg_d = 32'h0;
      dest_ip_d = 32'h0;
      dest_port_d = 32'h0;
      neighbour_lo_d = 32'h0;
      neighbour_hi_d = 32'h0;
      pending_forward_d = 1'h0;
      pending_endpoint_d = 1'h0;
      strobe_dest_d = 1'h0;
      strobe_neighbour_d = 1'h0;
      ack_reg_d = 1'h0;
    end
  end
endmodule

module ipos_card_front_in (
  input  logic [63:0] tdata,
  input  logic [7:0] tkeep,
  input  logic tlast,
  input  logic tuser,
  output logic [68:0] beat
);
  logic [2:0] cnt;
  always_comb begin
    cnt = 3'h0;
    if (tkeep[1]) begin
      cnt = (cnt + 3'h1);
    end
    if (tkeep[2]) begin
      cnt = (cnt + 3'h1);
    end
    if (tkeep[3]) begin
      cnt = (cnt + 3'h1);
    end
    if (tkeep[4]) begin
      cnt = (cnt + 3'h1);
    end
    if (tkeep[5]) begin
      cnt = (cnt + 3'h1);
    end
    if (tkeep[6]) begin
      cnt = (cnt + 3'h1);
    end
    if (tkeep[7]) begin
      cnt = (cnt + 3'h1);
    end
    beat[63:0] = tdata;
    beat[66:64] = cnt;
    beat[67] = tlast;
    beat[68] = tuser;
  end
endmodule

module ipos_card_front_rx_vlan (
  input  logic clock,
  input  logic reset,
  input  logic [68:0] s_beat,
  input  logic s_valid,
  output logic s_ready,
  output logic [68:0] m_beat,
  output logic m_valid,
  input  logic m_ready,
  output logic m_tagged,
  output logic [15:0] m_tci,
  output logic m_runt
);
  logic go;
  logic moves;
  logic is_tag;
  logic strip;
  logic spent;
  logic accept;
  logic [63:0] low;
  logic [63:0] high;
  logic [68:0] o;
  logic [15:0] this_tci;
  logic [63:0] tmp0;
  logic [63:0] tmp1;
  logic [63:0] tmp2;
  logic [63:0] tmp3;
  logic [63:0] tmp4;
  logic [63:0] tmp5;
  logic [63:0] tmp6;
  logic [68:0] held_d;
  logic [68:0] held_q;
  logic held_valid_d;
  logic held_valid_q;
  logic [1:0] held_index_d;
  logic [1:0] held_index_q;
  logic [1:0] next_index_d;
  logic [1:0] next_index_q;
  logic inside_d;
  logic inside_q;
  logic [15:0] tci_d;
  logic [15:0] tci_q;
  logic [68:0] out_d;
  logic [68:0] out_q;
  logic out_valid_d;
  logic out_valid_q;
  logic out_tagged_d;
  logic out_tagged_q;
  logic [15:0] out_tci_d;
  logic [15:0] out_tci_q;
  logic out_runt_d;
  logic out_runt_q;
  initial held_q = 69'h0;
  always @(posedge clock) held_q <= held_d;
  initial held_valid_q = 1'h0;
  always @(posedge clock) held_valid_q <= held_valid_d;
  initial held_index_q = 2'h0;
  always @(posedge clock) held_index_q <= held_index_d;
  initial next_index_q = 2'h0;
  always @(posedge clock) next_index_q <= next_index_d;
  initial inside_q = 1'h0;
  always @(posedge clock) inside_q <= inside_d;
  initial tci_q = 16'h0;
  always @(posedge clock) tci_q <= tci_d;
  initial out_q = 69'h0;
  always @(posedge clock) out_q <= out_d;
  initial out_valid_q = 1'h0;
  always @(posedge clock) out_valid_q <= out_valid_d;
  initial out_tagged_q = 1'h0;
  always @(posedge clock) out_tagged_q <= out_tagged_d;
  initial out_tci_q = 16'h0;
  always @(posedge clock) out_tci_q <= out_tci_d;
  initial out_runt_q = 1'h0;
  always @(posedge clock) out_runt_q <= out_runt_d;
  always_comb begin
    tmp0 = 64'h0;
    tmp1 = 64'h0;
    tmp2 = 64'h0;
    tmp3 = 64'h0;
    tmp4 = 64'h0;
    tmp5 = 64'h0;
    tmp6 = 64'h0;
    held_d = held_q;
    held_valid_d = held_valid_q;
    held_index_d = held_index_q;
    next_index_d = next_index_q;
    inside_d = inside_q;
    tci_d = tci_q;
    out_d = out_q;
    out_valid_d = out_valid_q;
    out_tagged_d = out_tagged_q;
    out_tci_d = out_tci_q;
    out_runt_d = out_runt_q;
    m_beat = out_q;
    m_valid = out_valid_q;
    m_tagged = out_tagged_q;
    m_tci = out_tci_q;
    m_runt = out_runt_q;
    go = (m_ready | (~out_valid_q));
    moves = ((held_valid_q & go) & (held_q[67] | s_valid));
    s_ready = ((~held_valid_q) | moves);
    accept = (s_valid & ((~held_valid_q) | moves));
    tmp0 = held_q[63:0];
    is_tag = (((held_index_q == 2'h1) & (tmp0[47:32] == 16'h81)) & (~held_q[67]));
    strip = (is_tag | inside_q);
    spent = (((strip & (~held_q[67])) & s_beat[67]) & (s_beat[66:64] < 3'h4));
    this_tci = tci_q;
    if (is_tag) begin
      tmp1 = held_q[63:0];
      tmp2 = held_q[63:0];
      this_tci = (({8'h0, tmp1[55:48]} << 8) | {8'h0, tmp2[63:56]});
    end
    tmp3 = held_q[63:0];
    low = {32'h0, tmp3[63:32]};
    if (is_tag) begin
      tmp4 = held_q[63:0];
      low = {32'h0, tmp4[31:0]};
    end
    high = 64'h0;
    if ((~held_q[67])) begin
      tmp5 = s_beat[63:0];
      high = ({32'h0, tmp5[31:0]} << 32);
    end
    o = held_q;
    if (strip) begin
      o[63:0] = (low | high);
      o[66:64] = 3'h7;
      if (held_q[67]) begin
        o[66:64] = (held_q[66:64] - 3'h4);
      end else begin
        if (spent) begin
          o[66:64] = (s_beat[66:64] + 3'h4);
          o[67] = 1'h1;
          o[68] = s_beat[68];
        end
      end
    end
    if (go) begin
      out_valid_d = moves;
    end
    if (moves) begin
      out_d = o;
      out_tagged_d = strip;
      out_tci_d = this_tci;
      tci_d = this_tci;
      inside_d = ((strip & (~held_q[67])) & (~spent));
      tmp6 = held_q[63:0];
      out_runt_d = ((((held_index_q == 2'h0) & held_q[67]) | (((held_index_q == 2'h1) & held_q[67]) & ((held_q[66:64] < 3'h5) | (tmp6[47:32] == 16'h81)))) | ((is_tag & s_beat[67]) & (s_beat[66:64] == 3'h0)));
      held_valid_d = 1'h0;
    end
    if (accept) begin
      held_d = s_beat;
      held_valid_d = (~(moves & spent));
      held_index_d = next_index_q;
      if (s_beat[67]) begin
        next_index_d = 2'h0;
      end else begin
        if ((next_index_q != 2'h2)) begin
          next_index_d = (next_index_q + 2'h1);
        end
      end
    end
    if (reset) begin
      held_valid_d = 1'h0;
      next_index_d = 2'h0;
      inside_d = 1'h0;
      out_valid_d = 1'h0;
    end
  end
endmodule

module ipos_card_front_rx_rev (
  input  logic [63:0] i,
  output logic [63:0] o
);
  logic [63:0] t;
  logic [7:0] b;
  always_comb begin
    t = 64'h0;
    b = i[7:0];
    t = ((t << 8) | {56'h0, b});
    b = i[15:8];
    t = ((t << 8) | {56'h0, b});
    b = i[23:16];
    t = ((t << 8) | {56'h0, b});
    b = i[31:24];
    t = ((t << 8) | {56'h0, b});
    b = i[39:32];
    t = ((t << 8) | {56'h0, b});
    b = i[47:40];
    t = ((t << 8) | {56'h0, b});
    b = i[55:48];
    t = ((t << 8) | {56'h0, b});
    b = i[63:56];
    t = ((t << 8) | {56'h0, b});
    o = t;
  end
endmodule

module ipos_card_front_rx_fields (
  input  logic clock,
  input  logic reset,
  input  logic fire,
  input  logic [63:0] be,
  input  logic [2:0] cnt,
  input  logic last,
  input  logic has_tag,
  input  logic [15:0] tci,
  input  logic runt,
  input  logic [47:0] mac,
  input  logic promiscuous,
  input  logic [15:0] ethertype,
  input  logic back,
  output logic [209:0] meta,
  output logic meta_valid,
  output logic done1,
  output logic [12:0] k1,
  output logic [12:0] v1,
  output logic [12:0] port_beat,
  output logic odd,
  output logic [15:0] total1,
  output logic [7:0] cover1,
  output logic [31:0] pseudo
);
  logic [12:0] v;
  logic [12:0] pb;
  logic [12:0] stop;
  logic [2:0] end_pos;
  logic [2:0] port_pos;
  logic tcp;
  logic udp;
  logic enough;
  logic finish;
  logic [15:0] header;
  logic [15:0] payload;
  logic [15:0] need;
  logic l4;
  logic [7:0] covered;
  logic [209:0] m;
  logic [12:0] k_d;
  logic [12:0] k_q;
  logic sent_d;
  logic sent_q;
  logic done_d;
  logic done_q;
  logic [12:0] kd_d;
  logic [12:0] kd_q;
  logic [12:0] vd_d;
  logic [12:0] vd_q;
  logic [47:0] dst_d;
  logic [47:0] dst_q;
  logic [47:0] src_d;
  logic [47:0] src_q;
  logic ipos_d;
  logic ipos_q;
  logic is_ip_d;
  logic is_ip_q;
  logic deep_d;
  logic deep_q;
  logic [7:0] itype_d;
  logic [7:0] itype_q;
  logic [7:0] iproto_d;
  logic [7:0] iproto_q;
  logic [3:0] version_d;
  logic [3:0] version_q;
  logic [3:0] ihl_d;
  logic [3:0] ihl_q;
  logic [15:0] total_d;
  logic [15:0] total_q;
  logic [15:0] frag_d;
  logic [15:0] frag_q;
  logic [7:0] proto_d;
  logic [7:0] proto_q;
  logic [31:0] sip_d;
  logic [31:0] sip_q;
  logic [31:0] dip_d;
  logic [31:0] dip_q;
  logic [15:0] sport_d;
  logic [15:0] sport_q;
  logic [15:0] dport_d;
  logic [15:0] dport_q;
  logic [15:0] ulen_d;
  logic [15:0] ulen_q;
  logic [15:0] usum_d;
  logic [15:0] usum_q;
  logic cut_ipos_d;
  logic cut_ipos_q;
  logic cut_ip_d;
  logic cut_ip_q;
  logic cut_options_d;
  logic cut_options_q;
  logic cut_l4_d;
  logic cut_l4_q;
  logic was_runt_d;
  logic was_runt_q;
  logic was_tagged_d;
  logic was_tagged_q;
  logic [15:0] was_tci_d;
  logic [15:0] was_tci_q;
  logic [209:0] out_d;
  logic [209:0] out_q;
  logic out_valid_d;
  logic out_valid_q;
  initial k_q = 13'h0;
  always @(posedge clock) k_q <= k_d;
  initial sent_q = 1'h0;
  always @(posedge clock) sent_q <= sent_d;
  initial done_q = 1'h0;
  always @(posedge clock) done_q <= done_d;
  initial kd_q = 13'h0;
  always @(posedge clock) kd_q <= kd_d;
  initial vd_q = 13'h0;
  always @(posedge clock) vd_q <= vd_d;
  initial dst_q = 48'h0;
  always @(posedge clock) dst_q <= dst_d;
  initial src_q = 48'h0;
  always @(posedge clock) src_q <= src_d;
  initial ipos_q = 1'h0;
  always @(posedge clock) ipos_q <= ipos_d;
  initial is_ip_q = 1'h0;
  always @(posedge clock) is_ip_q <= is_ip_d;
  initial deep_q = 1'h0;
  always @(posedge clock) deep_q <= deep_d;
  initial itype_q = 8'h0;
  always @(posedge clock) itype_q <= itype_d;
  initial iproto_q = 8'h0;
  always @(posedge clock) iproto_q <= iproto_d;
  initial version_q = 4'h0;
  always @(posedge clock) version_q <= version_d;
  initial ihl_q = 4'h0;
  always @(posedge clock) ihl_q <= ihl_d;
  initial total_q = 16'h0;
  always @(posedge clock) total_q <= total_d;
  initial frag_q = 16'h0;
  always @(posedge clock) frag_q <= frag_d;
  initial proto_q = 8'h0;
  always @(posedge clock) proto_q <= proto_d;
  initial sip_q = 32'h0;
  always @(posedge clock) sip_q <= sip_d;
  initial dip_q = 32'h0;
  always @(posedge clock) dip_q <= dip_d;
  initial sport_q = 16'h0;
  always @(posedge clock) sport_q <= sport_d;
  initial dport_q = 16'h0;
  always @(posedge clock) dport_q <= dport_d;
  initial ulen_q = 16'h0;
  always @(posedge clock) ulen_q <= ulen_d;
  initial usum_q = 16'h0;
  always @(posedge clock) usum_q <= usum_d;
  initial cut_ipos_q = 1'h0;
  always @(posedge clock) cut_ipos_q <= cut_ipos_d;
  initial cut_ip_q = 1'h0;
  always @(posedge clock) cut_ip_q <= cut_ip_d;
  initial cut_options_q = 1'h0;
  always @(posedge clock) cut_options_q <= cut_options_d;
  initial cut_l4_q = 1'h0;
  always @(posedge clock) cut_l4_q <= cut_l4_d;
  initial was_runt_q = 1'h0;
  always @(posedge clock) was_runt_q <= was_runt_d;
  initial was_tagged_q = 1'h0;
  always @(posedge clock) was_tagged_q <= was_tagged_d;
  initial was_tci_q = 16'h0;
  always @(posedge clock) was_tci_q <= was_tci_d;
  initial out_q = 210'h0;
  always @(posedge clock) out_q <= out_d;
  initial out_valid_q = 1'h0;
  always @(posedge clock) out_valid_q <= out_valid_d;
  always_comb begin
    k_d = k_q;
    sent_d = sent_q;
    done_d = done_q;
    kd_d = kd_q;
    vd_d = vd_q;
    dst_d = dst_q;
    src_d = src_q;
    ipos_d = ipos_q;
    is_ip_d = is_ip_q;
    deep_d = deep_q;
    itype_d = itype_q;
    iproto_d = iproto_q;
    version_d = version_q;
    ihl_d = ihl_q;
    total_d = total_q;
    frag_d = frag_q;
    proto_d = proto_q;
    sip_d = sip_q;
    dip_d = dip_q;
    sport_d = sport_q;
    dport_d = dport_q;
    ulen_d = ulen_q;
    usum_d = usum_q;
    cut_ipos_d = cut_ipos_q;
    cut_ip_d = cut_ip_q;
    cut_options_d = cut_options_q;
    cut_l4_d = cut_l4_q;
    was_runt_d = was_runt_q;
    was_tagged_d = was_tagged_q;
    was_tci_d = was_tci_q;
    out_d = out_q;
    out_valid_d = out_valid_q;
    v = k_q;
    if ((ipos_q & (k_q != 13'h0))) begin
      v = (k_q - 13'h2);
    end
    pb = (({9'h0, ihl_q} + 13'h3) >> 1);
    tcp = (proto_q == 8'h6);
    udp = (proto_q == 8'h11);
    port_pos = 3'h6;
    if (ihl_q[0]) begin
      port_pos = 3'h2;
    end
    stop = (pb + 13'h1);
    end_pos = 3'h5;
    if (ihl_q[0]) begin
      end_pos = 3'h1;
    end
    if (tcp) begin
      stop = (pb + 13'h3);
      end_pos = 3'h1;
      if (ihl_q[0]) begin
        stop = (pb + 13'h2);
        end_pos = 3'h5;
      end
    end
    enough = (k_q >= 13'h6);
    if (deep_q) begin
      enough = ((v >= 13'h4) & (v >= stop));
    end
    finish = ((fire & (~sent_q)) & (last | enough));
    done_d = finish;
    if (fire) begin
      kd_d = k_q;
      vd_d = v;
      if ((k_q != 13'h1fff)) begin
        k_d = (k_q + 13'h1);
      end
      sent_d = ((sent_q | finish) & (~last));
      if (last) begin
        k_d = 13'h0;
      end
      if ((k_q == 13'h0)) begin
        dst_d = be[63:16];
        src_d = ({32'h0, be[15:0]} << 32);
        ipos_d = 1'h0;
        is_ip_d = 1'h0;
        deep_d = 1'h0;
      end
      if ((k_q == 13'h1)) begin
        src_d = (src_q | {16'h0, be[63:32]});
        ipos_d = (be[31:16] == ethertype);
        is_ip_d = (be[31:16] == 16'h800);
        deep_d = (be[31:16] == 16'h800);
      end
      if (((k_q == 13'h3) & ipos_q)) begin
        itype_d = be[47:40];
        iproto_d = be[39:32];
        deep_d = (back & (be[47:40] == 8'h2));
      end
      if ((v == 13'h1)) begin
        version_d = be[15:12];
        ihl_d = be[11:8];
      end
      if ((v == 13'h2)) begin
        total_d = be[63:48];
        frag_d = be[31:16];
        proto_d = be[7:0];
      end
      if ((v == 13'h3)) begin
        sip_d = be[47:16];
        dip_d = ({16'h0, be[15:0]} << 16);
      end
      if ((v == 13'h4)) begin
        dip_d = (dip_q | {16'h0, be[63:48]});
      end
      if ((v == pb)) begin
        if (ihl_q[0]) begin
          sport_d = be[47:32];
          dport_d = be[31:16];
          ulen_d = be[15:0];
        end else begin
          sport_d = be[15:0];
        end
      end
      if ((v == (pb + 13'h1))) begin
        if (ihl_q[0]) begin
          usum_d = be[63:48];
        end else begin
          dport_d = be[63:48];
          ulen_d = be[47:32];
          usum_d = be[31:16];
        end
      end
      cut_ipos_d = (last & ((k_q < 13'h3) | ((k_q == 13'h3) & (cnt < 3'h5))));
      cut_ip_d = (last & ((v < 13'h4) | ((v == 13'h4) & (cnt < 3'h1))));
      cut_options_d = (last & ((v < pb) | ((v == pb) & (cnt < (port_pos - 3'h1)))));
      cut_l4_d = (last & ((v < stop) | ((v == stop) & (cnt < end_pos))));
      was_runt_d = (runt & last);
      was_tagged_d = has_tag;
      was_tci_d = tci;
    end
    header = ({12'h0, ihl_q} << 2);
    need = (header + 16'h8);
    if (tcp) begin
      need = (header + 16'h14);
    end
    payload = (total_q - header);
    covered = 8'h0;
    if (((itype_q == 8'h2) | (itype_q == 8'h3))) begin
      covered = 8'h10;
    end
    if (((itype_q == 8'h1) & (iproto_q == 8'h1))) begin
      covered = 8'ha2;
    end
    if (((itype_q == 8'h1) & (iproto_q == 8'h2))) begin
      covered = 8'h16;
    end
    l4 = ((frag_q[13:0] == 14'h0) & (tcp | udp));
    m[0] = was_runt_q;
    m[2] = dst_q[40];
    m[1] = ((promiscuous | dst_q[40]) | (dst_q == mac));
    m[3] = ipos_q;
    m[4] = cut_ipos_q;
    m[12:5] = itype_q;
    m[20:13] = covered;
    m[21] = deep_q;
    m[24:22] = 3'h0;
    if (cut_ip_q) begin
      m[24:22] = 3'h3;
    end else begin
      if (((version_q != 4'h4) | (ihl_q < 4'h5))) begin
        m[24:22] = 3'h4;
      end else begin
        if (cut_options_q) begin
          m[24:22] = 3'h3;
        end
      end
    end
    m[25] = (total_q < header);
    m[28:26] = 3'h0;
    if (l4) begin
      if (cut_l4_q) begin
        m[28:26] = 3'h3;
      end else begin
        if ((total_q < need)) begin
          m[28:26] = 3'h4;
        end
      end
    end
    m[29] = (frag_q[13:0] != 14'h0);
    m[30] = (~(tcp | udp));
    m[31] = (udp & ((usum_q == 16'h0) | (ulen_q != payload)));
    m[32] = udp;
    m[64:33] = sip_q;
    m[96:65] = dip_q;
    m[112:97] = sport_q;
    m[128:113] = dport_q;
    m[144:129] = total_q;
    m[192:145] = src_q;
    m[193] = was_tagged_q;
    m[209:194] = was_tci_q;
    if ((~was_tagged_q)) begin
      m[209:194] = 16'h0;
    end
    out_d = m;
    out_valid_d = done_q;
    meta = out_q;
    meta_valid = out_valid_q;
    done1 = done_q;
    k1 = kd_q;
    v1 = vd_q;
    port_beat = pb;
    odd = ihl_q[0];
    total1 = total_q;
    cover1 = covered;
    pseudo = ({24'h0, proto_q} + {16'h0, payload});
    if (reset) begin
      k_d = 13'h0;
      sent_d = 1'h0;
      done_d = 1'h0;
      out_valid_d = 1'h0;
    end
  end
endmodule

module ipos_card_front_rx_masks (
  input  logic [12:0] k,
  input  logic [12:0] v,
  input  logic [12:0] port_beat,
  input  logic odd,
  input  logic [15:0] total,
  input  logic [7:0] covered,
  output logic [7:0] ip,
  output logic [7:0] l4,
  output logic [7:0] ipos
);
  logic [16:0] stop;
  logic [12:0] end_beat;
  logic [7:0] upto;
  logic [7:0] from;
  logic [8:0] iend;
  logic [12:0] iend_beat;
  logic [7:0] options;
  logic [13:0] tmp0;
  always_comb begin
    tmp0 = 14'h0;
    options = 8'hfc;
    if (odd) begin
      options = 8'hc0;
    end
    ip = 8'h0;
    if ((v == 13'h1)) begin
      ip = 8'h3;
    end else begin
      if (((v > 13'h1) & (v < port_beat))) begin
        ip = 8'hff;
      end else begin
        if (((v > 13'h1) & (v == port_beat))) begin
          ip = options;
        end
      end
    end
    stop = ({1'h0, total} + 17'he);
    tmp0 = stop[16:3];
    end_beat = tmp0[12:0];
    upto = 8'h0;
    if ((v < end_beat)) begin
      upto = 8'hff;
    end else begin
      if ((v == end_beat)) begin
        upto = (~(8'hff >> stop[2:0]));
      end
    end
    from = 8'h0;
    if ((v > port_beat)) begin
      from = 8'hff;
    end else begin
      if ((v == port_beat)) begin
        from = (~options);
      end
    end
    l4 = 8'h0;
    if ((v >= 13'h4)) begin
      l4 = (from & upto);
    end
    if ((v == 13'h3)) begin
      l4 = 8'h3f;
    end
    if ((v == 13'h4)) begin
      l4 = ((from & upto) | 8'hc0);
    end
    iend = ({1'h0, covered} + 9'he);
    iend_beat = {7'h0, iend[8:3]};
    ipos = 8'h0;
    if ((k == 13'h1)) begin
      ipos = 8'h3;
    end else begin
      if (((k == 13'h2) | ((k > 13'h1) & (k < iend_beat)))) begin
        ipos = 8'hff;
      end else begin
        if (((k > 13'h1) & (k == iend_beat))) begin
          ipos = (~(8'hff >> iend[2:0]));
        end
      end
    end
  end
endmodule

module ipos_card_front_rx_ip_sum (
  input  logic clock,
  input  logic valid,
  input  logic first,
  input  logic [63:0] data,
  input  logic [7:0] mask,
  output logic [31:0] sum
);
  logic [63:0] m;
  logic [63:0] w;
  logic [17:0] l0;
  logic [17:0] l1;
  logic [17:0] l2;
  logic [17:0] l3;
  logic [31:0] base;
  logic [31:0] acc_d;
  logic [31:0] acc_q;
  logic [17:0] lanes_d;
  logic [17:0] lanes_q;
  logic lanes_valid_d;
  logic lanes_valid_q;
  logic lanes_first_d;
  logic lanes_first_q;
  initial acc_q = 32'h0;
  always @(posedge clock) acc_q <= acc_d;
  initial lanes_q = 18'h0;
  always @(posedge clock) lanes_q <= lanes_d;
  initial lanes_valid_q = 1'h0;
  always @(posedge clock) lanes_valid_q <= lanes_valid_d;
  initial lanes_first_q = 1'h0;
  always @(posedge clock) lanes_first_q <= lanes_first_d;
  always_comb begin
    acc_d = acc_q;
    lanes_d = lanes_q;
    lanes_valid_d = lanes_valid_q;
    lanes_first_d = lanes_first_q;
    m = 64'h0;
    m = (m << 8);
    if (mask[7]) begin
      m = (m | 64'hff);
    end
    m = (m << 8);
    if (mask[6]) begin
      m = (m | 64'hff);
    end
    m = (m << 8);
    if (mask[5]) begin
      m = (m | 64'hff);
    end
    m = (m << 8);
    if (mask[4]) begin
      m = (m | 64'hff);
    end
    m = (m << 8);
    if (mask[3]) begin
      m = (m | 64'hff);
    end
    m = (m << 8);
    if (mask[2]) begin
      m = (m | 64'hff);
    end
    m = (m << 8);
    if (mask[1]) begin
      m = (m | 64'hff);
    end
    m = (m << 8);
    if (mask[0]) begin
      m = (m | 64'hff);
    end
    w = (data & m);
    l0 = {2'h0, w[15:0]};
    l1 = {2'h0, w[31:16]};
    l2 = {2'h0, w[47:32]};
    l3 = {2'h0, w[63:48]};
    lanes_d = ((l0 + l1) + (l2 + l3));
    lanes_valid_d = valid;
    lanes_first_d = first;
    base = acc_q;
    if (lanes_first_q) begin
      base = 32'h0;
    end
    if (lanes_valid_q) begin
      acc_d = (base + {14'h0, lanes_q});
    end
    sum = acc_q;
  end
endmodule

module ipos_card_front_rx_ip_fold (
  input  logic clock,
  input  logic [31:0] sum,
  output logic valid
);
  logic [17:0] lo;
  logic [17:0] hi;
  logic [17:0] twice;
  logic [17:0] once_d;
  logic [17:0] once_q;
  logic ok_d;
  logic ok_q;
  initial once_q = 18'h0;
  always @(posedge clock) once_q <= once_d;
  initial ok_q = 1'h0;
  always @(posedge clock) ok_q <= ok_d;
  always_comb begin
    once_d = once_q;
    ok_d = ok_q;
    lo = {2'h0, sum[15:0]};
    hi = {2'h0, sum[31:16]};
    once_d = (lo + hi);
    twice = ((once_q & 18'hffff) + (once_q >> 16));
    ok_d = (twice == 18'hffff);
    valid = ok_q;
  end
endmodule

module ipos_card_front_rx_beats_ram (
  input  logic [5:0] read_address,
  input  logic read_clock,
  output logic [68:0] read_data,
  input  logic [5:0] write_address,
  input  logic write_clock,
  input  logic [68:0] write_data,
  input  logic write_enable
);
reg[68:0] mem[63:0];



always @(posedge read_clock) begin
   read_data <= mem[read_address];
end

always @(posedge write_clock) begin
   if (write_enable) begin
      mem[write_address] <= write_data;
   end
end
            
endmodule

module ipos_card_front_rx_beats (
  input  logic clock,
  input  logic reset,
  input  logic [68:0] data_in,
  input  logic write,
  output logic [68:0] data_out,
  output logic valid,
  input  logic read,
  output logic [6:0] level
);
  logic [6:0] rd_next;
  logic [5:0] ram_read_address;
  logic [68:0] ram_read_data;
  logic [5:0] ram_write_address;
  logic [68:0] ram_write_data;
  logic ram_write_enable;
  logic [6:0] wr_d;
  logic [6:0] wr_q;
  logic [6:0] rd_d;
  logic [6:0] rd_q;
  logic full_word_d;
  logic full_word_q;
  ipos_card_front_rx_beats_ram ram (
    .read_address(ram_read_address),
    .read_clock(clock),
    .read_data(ram_read_data),
    .write_address(ram_write_address),
    .write_clock(clock),
    .write_data(ram_write_data),
    .write_enable(ram_write_enable)
  );
  initial wr_q = 7'h0;
  always @(posedge clock) wr_q <= wr_d;
  initial rd_q = 7'h0;
  always @(posedge clock) rd_q <= rd_d;
  initial full_word_q = 1'h0;
  always @(posedge clock) full_word_q <= full_word_d;
  always_comb begin
    wr_d = wr_q;
    rd_d = rd_q;
    full_word_d = full_word_q;
    rd_next = rd_q;
    if (read) begin
      rd_next = (rd_q + 7'h1);
    end
    rd_d = rd_next;
    if (write) begin
      wr_d = (wr_q + 7'h1);
    end
    ram_write_address = wr_q[5:0];
    ram_write_data = data_in;
    ram_write_enable = write;
    ram_read_address = rd_next[5:0];
    full_word_d = (rd_next != wr_q);
    data_out = ram_read_data;
    valid = full_word_q;
    level = (wr_q - rd_q);
    if (reset) begin
      wr_d = 7'h0;
      rd_d = 7'h0;
      full_word_d = 1'h0;
    end
  end
endmodule

module ipos_card_front_rx_metas_ram (
  input  logic [3:0] read_address,
  input  logic read_clock,
  output logic [209:0] read_data,
  input  logic [3:0] write_address,
  input  logic write_clock,
  input  logic [209:0] write_data,
  input  logic write_enable
);
reg[209:0] mem[15:0];



always @(posedge read_clock) begin
   read_data <= mem[read_address];
end

always @(posedge write_clock) begin
   if (write_enable) begin
      mem[write_address] <= write_data;
   end
end
            
endmodule

module ipos_card_front_rx_metas (
  input  logic clock,
  input  logic reset,
  input  logic [209:0] data_in,
  input  logic write,
  output logic [209:0] data_out,
  output logic valid,
  input  logic read,
  output logic [4:0] level
);
  logic [4:0] rd_next;
  logic [3:0] ram_read_address;
  logic [209:0] ram_read_data;
  logic [3:0] ram_write_address;
  logic [209:0] ram_write_data;
  logic ram_write_enable;
  logic [4:0] wr_d;
  logic [4:0] wr_q;
  logic [4:0] rd_d;
  logic [4:0] rd_q;
  logic full_word_d;
  logic full_word_q;
  ipos_card_front_rx_metas_ram ram (
    .read_address(ram_read_address),
    .read_clock(clock),
    .read_data(ram_read_data),
    .write_address(ram_write_address),
    .write_clock(clock),
    .write_data(ram_write_data),
    .write_enable(ram_write_enable)
  );
  initial wr_q = 5'h0;
  always @(posedge clock) wr_q <= wr_d;
  initial rd_q = 5'h0;
  always @(posedge clock) rd_q <= rd_d;
  initial full_word_q = 1'h0;
  always @(posedge clock) full_word_q <= full_word_d;
  always_comb begin
    wr_d = wr_q;
    rd_d = rd_q;
    full_word_d = full_word_q;
    rd_next = rd_q;
    if (read) begin
      rd_next = (rd_q + 5'h1);
    end
    rd_d = rd_next;
    if (write) begin
      wr_d = (wr_q + 5'h1);
    end
    ram_write_address = wr_q[3:0];
    ram_write_data = data_in;
    ram_write_enable = write;
    ram_read_address = rd_next[3:0];
    full_word_d = (rd_next != wr_q);
    data_out = ram_read_data;
    valid = full_word_q;
    level = (wr_q - rd_q);
    if (reset) begin
      wr_d = 5'h0;
      rd_d = 5'h0;
      full_word_d = 1'h0;
    end
  end
endmodule

module ipos_card_front_rx_oks_ram (
  input  logic [3:0] read_address,
  input  logic read_clock,
  output logic [1:0] read_data,
  input  logic [3:0] write_address,
  input  logic write_clock,
  input  logic [1:0] write_data,
  input  logic write_enable
);
reg[1:0] mem[15:0];



always @(posedge read_clock) begin
   read_data <= mem[read_address];
end

always @(posedge write_clock) begin
   if (write_enable) begin
      mem[write_address] <= write_data;
   end
end
            
endmodule

module ipos_card_front_rx_oks (
  input  logic clock,
  input  logic reset,
  input  logic [1:0] data_in,
  input  logic write,
  output logic [1:0] data_out,
  output logic valid,
  input  logic read,
  output logic [4:0] level
);
  logic [4:0] rd_next;
  logic [3:0] ram_read_address;
  logic [1:0] ram_read_data;
  logic [3:0] ram_write_address;
  logic [1:0] ram_write_data;
  logic ram_write_enable;
  logic [4:0] wr_d;
  logic [4:0] wr_q;
  logic [4:0] rd_d;
  logic [4:0] rd_q;
  logic full_word_d;
  logic full_word_q;
  ipos_card_front_rx_oks_ram ram (
    .read_address(ram_read_address),
    .read_clock(clock),
    .read_data(ram_read_data),
    .write_address(ram_write_address),
    .write_clock(clock),
    .write_data(ram_write_data),
    .write_enable(ram_write_enable)
  );
  initial wr_q = 5'h0;
  always @(posedge clock) wr_q <= wr_d;
  initial rd_q = 5'h0;
  always @(posedge clock) rd_q <= rd_d;
  initial full_word_q = 1'h0;
  always @(posedge clock) full_word_q <= full_word_d;
  always_comb begin
    wr_d = wr_q;
    rd_d = rd_q;
    full_word_d = full_word_q;
    rd_next = rd_q;
    if (read) begin
      rd_next = (rd_q + 5'h1);
    end
    rd_d = rd_next;
    if (write) begin
      wr_d = (wr_q + 5'h1);
    end
    ram_write_address = wr_q[3:0];
    ram_write_data = data_in;
    ram_write_enable = write;
    ram_read_address = rd_next[3:0];
    full_word_d = (rd_next != wr_q);
    data_out = ram_read_data;
    valid = full_word_q;
    level = (wr_q - rd_q);
    if (reset) begin
      wr_d = 5'h0;
      rd_d = 5'h0;
      full_word_d = 1'h0;
    end
  end
endmodule

module ipos_card_front_rx_tails_ram (
  input  logic [4:0] read_address,
  input  logic read_clock,
  output logic [1:0] read_data,
  input  logic [4:0] write_address,
  input  logic write_clock,
  input  logic [1:0] write_data,
  input  logic write_enable
);
reg[1:0] mem[31:0];



always @(posedge read_clock) begin
   read_data <= mem[read_address];
end

always @(posedge write_clock) begin
   if (write_enable) begin
      mem[write_address] <= write_data;
   end
end
            
endmodule

module ipos_card_front_rx_tails (
  input  logic clock,
  input  logic reset,
  input  logic [1:0] data_in,
  input  logic write,
  output logic [1:0] data_out,
  output logic valid,
  input  logic read,
  output logic [5:0] level
);
  logic [5:0] rd_next;
  logic [4:0] ram_read_address;
  logic [1:0] ram_read_data;
  logic [4:0] ram_write_address;
  logic [1:0] ram_write_data;
  logic ram_write_enable;
  logic [5:0] wr_d;
  logic [5:0] wr_q;
  logic [5:0] rd_d;
  logic [5:0] rd_q;
  logic full_word_d;
  logic full_word_q;
  ipos_card_front_rx_tails_ram ram (
    .read_address(ram_read_address),
    .read_clock(clock),
    .read_data(ram_read_data),
    .write_address(ram_write_address),
    .write_clock(clock),
    .write_data(ram_write_data),
    .write_enable(ram_write_enable)
  );
  initial wr_q = 6'h0;
  always @(posedge clock) wr_q <= wr_d;
  initial rd_q = 6'h0;
  always @(posedge clock) rd_q <= rd_d;
  initial full_word_q = 1'h0;
  always @(posedge clock) full_word_q <= full_word_d;
  always_comb begin
    wr_d = wr_q;
    rd_d = rd_q;
    full_word_d = full_word_q;
    rd_next = rd_q;
    if (read) begin
      rd_next = (rd_q + 6'h1);
    end
    rd_d = rd_next;
    if (write) begin
      wr_d = (wr_q + 6'h1);
    end
    ram_write_address = wr_q[4:0];
    ram_write_data = data_in;
    ram_write_enable = write;
    ram_read_address = rd_next[4:0];
    full_word_d = (rd_next != wr_q);
    data_out = ram_read_data;
    valid = full_word_q;
    level = (wr_q - rd_q);
    if (reset) begin
      wr_d = 6'h0;
      rd_d = 6'h0;
      full_word_d = 1'h0;
    end
  end
endmodule

module ipos_card_front_rx (
  input  logic clock,
  input  logic reset,
  input  logic [68:0] s_beat,
  input  logic s_valid,
  output logic s_ready,
  input  logic [47:0] mac,
  input  logic promiscuous,
  input  logic [15:0] ethertype,
  input  logic back,
  output logic [209:0] meta,
  output logic ip_ok,
  output logic ipos_ok,
  output logic head_valid,
  input  logic head_read,
  output logic l4_ok,
  output logic cover_ok,
  output logic tail_valid,
  input  logic tail_read,
  output logic [68:0] beat,
  output logic beat_valid,
  input  logic beat_read
);
  logic room;
  logic fire;
  logic [1:0] pair;
  logic [1:0] tail;
  logic vlan_reset;
  logic [68:0] vlan_s_beat;
  logic vlan_s_valid;
  logic vlan_s_ready;
  logic [68:0] vlan_m_beat;
  logic vlan_m_valid;
  logic vlan_m_ready;
  logic vlan_m_tagged;
  logic [15:0] vlan_m_tci;
  logic vlan_m_runt;
  logic [63:0] rev_i;
  logic [63:0] rev_o;
  logic fields_reset;
  logic fields_fire;
  logic [63:0] fields_be;
  logic [2:0] fields_cnt;
  logic fields_last;
  logic fields_has_tag;
  logic [15:0] fields_tci;
  logic fields_runt;
  logic [47:0] fields_mac;
  logic fields_promiscuous;
  logic [15:0] fields_ethertype;
  logic fields_back;
  logic [209:0] fields_meta;
  logic fields_meta_valid;
  logic fields_done1;
  logic [12:0] fields_k1;
  logic [12:0] fields_v1;
  logic [12:0] fields_port_beat;
  logic fields_odd;
  logic [15:0] fields_total1;
  logic [7:0] fields_cover1;
  logic [31:0] fields_pseudo;
  logic [12:0] masks_k;
  logic [12:0] masks_v;
  logic [12:0] masks_port_beat;
  logic masks_odd;
  logic [15:0] masks_total;
  logic [7:0] masks_covered;
  logic [7:0] masks_ip;
  logic [7:0] masks_l4;
  logic [7:0] masks_ipos;
  logic ip_sum_valid;
  logic ip_sum_first;
  logic [63:0] ip_sum_data;
  logic [7:0] ip_sum_mask;
  logic [31:0] ip_sum_sum;
  logic l4_sum_valid;
  logic l4_sum_first;
  logic [63:0] l4_sum_data;
  logic [7:0] l4_sum_mask;
  logic [31:0] l4_sum_sum;
  logic ipos_sum_valid;
  logic ipos_sum_first;
  logic [63:0] ipos_sum_data;
  logic [7:0] ipos_sum_mask;
  logic [31:0] ipos_sum_sum;
  logic [31:0] ip_fold_sum;
  logic ip_fold_valid;
  logic [31:0] l4_fold_sum;
  logic l4_fold_valid;
  logic [31:0] ipos_fold_sum;
  logic ipos_fold_valid;
  logic beats_reset;
  logic [68:0] beats_data_in;
  logic beats_write;
  logic [68:0] beats_data_out;
  logic beats_valid;
  logic beats_read;
  logic [6:0] beats_level;
  logic metas_reset;
  logic [209:0] metas_data_in;
  logic metas_write;
  logic [209:0] metas_data_out;
  logic metas_valid;
  logic metas_read;
  logic [4:0] metas_level;
  logic oks_reset;
  logic [1:0] oks_data_in;
  logic oks_write;
  logic [1:0] oks_data_out;
  logic oks_valid;
  logic oks_read;
  logic [4:0] oks_level;
  logic tails_reset;
  logic [1:0] tails_data_in;
  logic tails_write;
  logic [1:0] tails_data_out;
  logic tails_valid;
  logic tails_read;
  logic [5:0] tails_level;
  logic [63:0] data1_d;
  logic [63:0] data1_q;
  logic fire1_d;
  logic fire1_q;
  logic last1_d;
  logic last1_q;
  logic done2_d;
  logic done2_q;
  logic done3_d;
  logic done3_q;
  logic done4_d;
  logic done4_q;
  logic done5_d;
  logic done5_q;
  logic last2_d;
  logic last2_q;
  logic last3_d;
  logic last3_q;
  logic last4_d;
  logic last4_q;
  logic last5_d;
  logic last5_q;
  logic last6_d;
  logic last6_q;
  logic [31:0] pseudo2_d;
  logic [31:0] pseudo2_q;
  logic [31:0] pseudo3_d;
  logic [31:0] pseudo3_q;
  logic [31:0] l4_total_d;
  logic [31:0] l4_total_q;
  logic cover6_d;
  logic cover6_q;
  ipos_card_front_rx_vlan vlan (
    .clock(clock),
    .reset(vlan_reset),
    .s_beat(vlan_s_beat),
    .s_valid(vlan_s_valid),
    .s_ready(vlan_s_ready),
    .m_beat(vlan_m_beat),
    .m_valid(vlan_m_valid),
    .m_ready(vlan_m_ready),
    .m_tagged(vlan_m_tagged),
    .m_tci(vlan_m_tci),
    .m_runt(vlan_m_runt)
  );
  ipos_card_front_rx_rev rev (
    .i(rev_i),
    .o(rev_o)
  );
  ipos_card_front_rx_fields fields (
    .clock(clock),
    .reset(fields_reset),
    .fire(fields_fire),
    .be(fields_be),
    .cnt(fields_cnt),
    .last(fields_last),
    .has_tag(fields_has_tag),
    .tci(fields_tci),
    .runt(fields_runt),
    .mac(fields_mac),
    .promiscuous(fields_promiscuous),
    .ethertype(fields_ethertype),
    .back(fields_back),
    .meta(fields_meta),
    .meta_valid(fields_meta_valid),
    .done1(fields_done1),
    .k1(fields_k1),
    .v1(fields_v1),
    .port_beat(fields_port_beat),
    .odd(fields_odd),
    .total1(fields_total1),
    .cover1(fields_cover1),
    .pseudo(fields_pseudo)
  );
  ipos_card_front_rx_masks masks (
    .k(masks_k),
    .v(masks_v),
    .port_beat(masks_port_beat),
    .odd(masks_odd),
    .total(masks_total),
    .covered(masks_covered),
    .ip(masks_ip),
    .l4(masks_l4),
    .ipos(masks_ipos)
  );
  ipos_card_front_rx_ip_sum ip_sum (
    .clock(clock),
    .valid(ip_sum_valid),
    .first(ip_sum_first),
    .data(ip_sum_data),
    .mask(ip_sum_mask),
    .sum(ip_sum_sum)
  );
  ipos_card_front_rx_ip_sum l4_sum (
    .clock(clock),
    .valid(l4_sum_valid),
    .first(l4_sum_first),
    .data(l4_sum_data),
    .mask(l4_sum_mask),
    .sum(l4_sum_sum)
  );
  ipos_card_front_rx_ip_sum ipos_sum (
    .clock(clock),
    .valid(ipos_sum_valid),
    .first(ipos_sum_first),
    .data(ipos_sum_data),
    .mask(ipos_sum_mask),
    .sum(ipos_sum_sum)
  );
  ipos_card_front_rx_ip_fold ip_fold (
    .clock(clock),
    .sum(ip_fold_sum),
    .valid(ip_fold_valid)
  );
  ipos_card_front_rx_ip_fold l4_fold (
    .clock(clock),
    .sum(l4_fold_sum),
    .valid(l4_fold_valid)
  );
  ipos_card_front_rx_ip_fold ipos_fold (
    .clock(clock),
    .sum(ipos_fold_sum),
    .valid(ipos_fold_valid)
  );
  ipos_card_front_rx_beats beats (
    .clock(clock),
    .reset(beats_reset),
    .data_in(beats_data_in),
    .write(beats_write),
    .data_out(beats_data_out),
    .valid(beats_valid),
    .read(beats_read),
    .level(beats_level)
  );
  ipos_card_front_rx_metas metas (
    .clock(clock),
    .reset(metas_reset),
    .data_in(metas_data_in),
    .write(metas_write),
    .data_out(metas_data_out),
    .valid(metas_valid),
    .read(metas_read),
    .level(metas_level)
  );
  ipos_card_front_rx_oks oks (
    .clock(clock),
    .reset(oks_reset),
    .data_in(oks_data_in),
    .write(oks_write),
    .data_out(oks_data_out),
    .valid(oks_valid),
    .read(oks_read),
    .level(oks_level)
  );
  ipos_card_front_rx_tails tails (
    .clock(clock),
    .reset(tails_reset),
    .data_in(tails_data_in),
    .write(tails_write),
    .data_out(tails_data_out),
    .valid(tails_valid),
    .read(tails_read),
    .level(tails_level)
  );
  initial data1_q = 64'h0;
  always @(posedge clock) data1_q <= data1_d;
  initial fire1_q = 1'h0;
  always @(posedge clock) fire1_q <= fire1_d;
  initial last1_q = 1'h0;
  always @(posedge clock) last1_q <= last1_d;
  initial done2_q = 1'h0;
  always @(posedge clock) done2_q <= done2_d;
  initial done3_q = 1'h0;
  always @(posedge clock) done3_q <= done3_d;
  initial done4_q = 1'h0;
  always @(posedge clock) done4_q <= done4_d;
  initial done5_q = 1'h0;
  always @(posedge clock) done5_q <= done5_d;
  initial last2_q = 1'h0;
  always @(posedge clock) last2_q <= last2_d;
  initial last3_q = 1'h0;
  always @(posedge clock) last3_q <= last3_d;
  initial last4_q = 1'h0;
  always @(posedge clock) last4_q <= last4_d;
  initial last5_q = 1'h0;
  always @(posedge clock) last5_q <= last5_d;
  initial last6_q = 1'h0;
  always @(posedge clock) last6_q <= last6_d;
  initial pseudo2_q = 32'h0;
  always @(posedge clock) pseudo2_q <= pseudo2_d;
  initial pseudo3_q = 32'h0;
  always @(posedge clock) pseudo3_q <= pseudo3_d;
  initial l4_total_q = 32'h0;
  always @(posedge clock) l4_total_q <= l4_total_d;
  initial cover6_q = 1'h0;
  always @(posedge clock) cover6_q <= cover6_d;
  always_comb begin
    data1_d = data1_q;
    fire1_d = fire1_q;
    last1_d = last1_q;
    done2_d = done2_q;
    done3_d = done3_q;
    done4_d = done4_q;
    done5_d = done5_q;
    last2_d = last2_q;
    last3_d = last3_q;
    last4_d = last4_q;
    last5_d = last5_q;
    last6_d = last6_q;
    pseudo2_d = pseudo2_q;
    pseudo3_d = pseudo3_q;
    l4_total_d = l4_total_q;
    cover6_d = cover6_q;
    vlan_reset = reset;
    fields_reset = reset;
    beats_reset = reset;
    metas_reset = reset;
    oks_reset = reset;
    tails_reset = reset;
    vlan_s_beat = s_beat;
    vlan_s_valid = s_valid;
    s_ready = vlan_s_ready;
    room = (((beats_level < 7'h3e) & (metas_level < 5'ha)) & (tails_level < 6'h18));
    vlan_m_ready = room;
    fire = (vlan_m_valid & room);
    beats_data_in = vlan_m_beat;
    beats_write = fire;
    rev_i = vlan_m_beat[63:0];
    fields_fire = fire;
    fields_be = rev_o;
    fields_cnt = vlan_m_beat[66:64];
    fields_last = vlan_m_beat[67];
    fields_has_tag = vlan_m_tagged;
    fields_tci = vlan_m_tci;
    fields_runt = vlan_m_runt;
    fields_mac = mac;
    fields_promiscuous = promiscuous;
    fields_ethertype = ethertype;
    fields_back = back;
    metas_data_in = fields_meta;
    metas_write = fields_meta_valid;
    data1_d = rev_o;
    fire1_d = fire;
    last1_d = (fire & vlan_m_beat[67]);
    masks_k = fields_k1;
    masks_v = fields_v1;
    masks_port_beat = fields_port_beat;
    masks_odd = fields_odd;
    masks_total = fields_total1;
    masks_covered = fields_cover1;
    ip_sum_valid = fire1_q;
    ip_sum_first = ((fields_k1 == 13'h0) | (fields_v1 == 13'h1));
    ip_sum_data = data1_q;
    ip_sum_mask = masks_ip;
    l4_sum_valid = fire1_q;
    l4_sum_first = (fields_k1 == 13'h0);
    l4_sum_data = data1_q;
    l4_sum_mask = masks_l4;
    ipos_sum_valid = fire1_q;
    ipos_sum_first = (fields_k1 == 13'h0);
    ipos_sum_data = data1_q;
    ipos_sum_mask = masks_ipos;
    done2_d = fields_done1;
    done3_d = done2_q;
    done4_d = done3_q;
    done5_d = done4_q;
    ip_fold_sum = ip_sum_sum;
    ipos_fold_sum = ipos_sum_sum;
    pair = 2'h0;
    if (ip_fold_valid) begin
      pair = (pair | 2'h1);
    end
    if (ipos_fold_valid) begin
      pair = (pair | 2'h2);
    end
    oks_data_in = pair;
    oks_write = done5_q;
    last2_d = last1_q;
    last3_d = last2_q;
    last4_d = last3_q;
    last5_d = last4_q;
    last6_d = last5_q;
    pseudo2_d = fields_pseudo;
    pseudo3_d = pseudo2_q;
    l4_total_d = (l4_sum_sum + pseudo3_q);
    l4_fold_sum = l4_total_q;
    cover6_d = ipos_fold_valid;
    tail = 2'h0;
    if (l4_fold_valid) begin
      tail = (tail | 2'h1);
    end
    if (cover6_q) begin
      tail = (tail | 2'h2);
    end
    tails_data_in = tail;
    tails_write = last6_q;
    meta = metas_data_out;
    ip_ok = oks_data_out[0];
    ipos_ok = oks_data_out[1];
    head_valid = (metas_valid & oks_valid);
    metas_read = head_read;
    oks_read = head_read;
    l4_ok = tails_data_out[0];
    cover_ok = tails_data_out[1];
    tail_valid = tails_valid;
    tails_read = tail_read;
    beat = beats_data_out;
    beat_valid = beats_valid;
    beats_read = beat_read;
    if (reset) begin
      fire1_d = 1'h0;
      last1_d = 1'h0;
      done2_d = 1'h0;
      done3_d = 1'h0;
      done4_d = 1'h0;
      done5_d = 1'h0;
      last2_d = 1'h0;
      last3_d = 1'h0;
      last4_d = 1'h0;
      last5_d = 1'h0;
      last6_d = 1'h0;
    end
  end
endmodule

module ipos_card_classify_hash (
  input  logic valid,
  input  logic [96:0] key,
  output logic [47:0] bits
);
  logic [47:0] h;
  always_comb begin
    h = 48'h0;
    if (valid) begin
      h = ((h & ~(48'h1 << 0)) | ({47'h0, (^(key & 97'h78918ef18604456572d649d0))} << 0));
      h = ((h & ~(48'h1 << 1)) | ({47'h0, (^(key & 97'h12f7b6c8a18099d6a664d3776))} << 1));
      h = ((h & ~(48'h1 << 2)) | ({47'h0, (^(key & 97'h8f42520150d88acfbe95947c))} << 2));
      h = ((h & ~(48'h1 << 3)) | ({47'h0, (^(key & 97'h623f1618ad395d44a6fbf864))} << 3));
      h = ((h & ~(48'h1 << 4)) | ({47'h0, (^(key & 97'ha73fb298d03142c9e122eb4))} << 4));
      h = ((h & ~(48'h1 << 5)) | ({47'h0, (^(key & 97'h7a42e1cfe07dcb4f335a2996))} << 5));
      h = ((h & ~(48'h1 << 6)) | ({47'h0, (^(key & 97'h182ccffba77a73394f2b94d))} << 6));
      h = ((h & ~(48'h1 << 7)) | ({47'h0, (^(key & 97'h18c63850adb9fb28e1dc3b18d))} << 7));
      h = ((h & ~(48'h1 << 8)) | ({47'h0, (^(key & 97'ha7c6b31a12f6116fadeb0145))} << 8));
      h = ((h & ~(48'h1 << 9)) | ({47'h0, (^(key & 97'h1590f90abbc4fcaa0232f9ca7))} << 9));
      h = ((h & ~(48'h1 << 10)) | ({47'h0, (^(key & 97'hbbefc190f53d620b08475dc1))} << 10));
      h = ((h & ~(48'h1 << 11)) | ({47'h0, (^(key & 97'hddcc7cd5c44bb7f2b103112e))} << 11));
      h = ((h & ~(48'h1 << 12)) | ({47'h0, (^(key & 97'h824d78a954927537ca5ea94a))} << 12));
      h = ((h & ~(48'h1 << 13)) | ({47'h0, (^(key & 97'h13153ea9c08aa9566f53cd7a5))} << 13));
      h = ((h & ~(48'h1 << 14)) | ({47'h0, (^(key & 97'hb091acd51ed34e16999bfbd9))} << 14));
      h = ((h & ~(48'h1 << 15)) | ({47'h0, (^(key & 97'h191d644ffcc5a315a019c6fe2))} << 15));
      h = ((h & ~(48'h1 << 16)) | ({47'h0, (^(key & 97'h18b42a739a4f472e763886ade))} << 16));
      h = ((h & ~(48'h1 << 17)) | ({47'h0, (^(key & 97'h1912db1ad9f7d2f0760e8c147))} << 17));
      h = ((h & ~(48'h1 << 18)) | ({47'h0, (^(key & 97'h6e365a5d3ebecc64995edf6b))} << 18));
      h = ((h & ~(48'h1 << 19)) | ({47'h0, (^(key & 97'hdd0b6ed7dad16164d16b132))} << 19));
      h = ((h & ~(48'h1 << 20)) | ({47'h0, (^(key & 97'hea278b623e9f5d204ae35c6))} << 20));
      h = ((h & ~(48'h1 << 21)) | ({47'h0, (^(key & 97'ha87d92ee8a892119e699b1db))} << 21));
      h = ((h & ~(48'h1 << 22)) | ({47'h0, (^(key & 97'h12b8060ca231b0b8babe8284b))} << 22));
      h = ((h & ~(48'h1 << 23)) | ({47'h0, (^(key & 97'hf9edf082ee2d69975b117af7))} << 23));
      h = ((h & ~(48'h1 << 24)) | ({47'h0, (^(key & 97'h146a752bfe673e55978947e61))} << 24));
      h = ((h & ~(48'h1 << 25)) | ({47'h0, (^(key & 97'h1c2647e3cfecfeaa576ba2ed6))} << 25));
      h = ((h & ~(48'h1 << 26)) | ({47'h0, (^(key & 97'h19e68d1e516b941c711fd39e7))} << 26));
      h = ((h & ~(48'h1 << 27)) | ({47'h0, (^(key & 97'h981596d188f82495a77480ca))} << 27));
      h = ((h & ~(48'h1 << 28)) | ({47'h0, (^(key & 97'h15a1d8d19e93d13ae155ec285))} << 28));
      h = ((h & ~(48'h1 << 29)) | ({47'h0, (^(key & 97'h1a18b5ef748d4e02a30452859))} << 29));
      h = ((h & ~(48'h1 << 30)) | ({47'h0, (^(key & 97'h1a9deb31d35b463311ea2bb6))} << 30));
      h = ((h & ~(48'h1 << 31)) | ({47'h0, (^(key & 97'h1d32b4bc6ae9ea494fa4d91f1))} << 31));
      h = ((h & ~(48'h1 << 32)) | ({47'h0, (^(key & 97'h2d7c371b513e16efef8ebe7f))} << 32));
      h = ((h & ~(48'h1 << 33)) | ({47'h0, (^(key & 97'h1761bd5d31182554dc3a33935))} << 33));
      h = ((h & ~(48'h1 << 34)) | ({47'h0, (^(key & 97'h1913196263f5271fdbd588ece))} << 34));
      h = ((h & ~(48'h1 << 35)) | ({47'h0, (^(key & 97'hd6ea55418040b69a88039898))} << 35));
      h = ((h & ~(48'h1 << 36)) | ({47'h0, (^(key & 97'h101fb27bab674d0da11c6d71d))} << 36));
      h = ((h & ~(48'h1 << 37)) | ({47'h0, (^(key & 97'h100406effd387412f9a86d6f0))} << 37));
      h = ((h & ~(48'h1 << 38)) | ({47'h0, (^(key & 97'h2cfe86c9dbf2031a6236a34f))} << 38));
      h = ((h & ~(48'h1 << 39)) | ({47'h0, (^(key & 97'hb638fec8f42a14db0eed6587))} << 39));
      h = ((h & ~(48'h1 << 40)) | ({47'h0, (^(key & 97'hc556e29662d44b6b603ce97c))} << 40));
      h = ((h & ~(48'h1 << 41)) | ({47'h0, (^(key & 97'h91b77a42ee8ab077462add2b))} << 41));
      h = ((h & ~(48'h1 << 42)) | ({47'h0, (^(key & 97'h1fb218df38361b2f1299725c4))} << 42));
      h = ((h & ~(48'h1 << 43)) | ({47'h0, (^(key & 97'h18c8dbad9113a04471d830cc0))} << 43));
      h = ((h & ~(48'h1 << 44)) | ({47'h0, (^(key & 97'hd7f5c114cd17db0af81e7f22))} << 44));
      h = ((h & ~(48'h1 << 45)) | ({47'h0, (^(key & 97'h1cda2b1e0b3030730e7f3e82c))} << 45));
      h = ((h & ~(48'h1 << 46)) | ({47'h0, (^(key & 97'h526521cbe6982e6f46b748af))} << 46));
      h = ((h & ~(48'h1 << 47)) | ({47'h0, (^(key & 97'h167b5174c1698683ff5ba39fe))} << 47));
    end
    bits = h;
  end
endmodule

module ipos_card_classify_forward_ram_0 (
  input  logic [9:0] read_address,
  input  logic read_clock,
  output logic [107:0] read_data,
  input  logic [9:0] write_address,
  input  logic write_clock,
  input  logic [107:0] write_data,
  input  logic write_enable
);
reg[107:0] mem[1023:0];



always @(posedge read_clock) begin
   read_data <= mem[read_address];
end

always @(posedge write_clock) begin
   if (write_enable) begin
      mem[write_address] <= write_data;
   end
end
            
endmodule

module ipos_card_classify_forward (
  input  logic clock,
  input  logic [47:0] hash,
  input  logic [96:0] key,
  output logic hit,
  output logic [9:0] value,
  input  logic commit,
  input  logic [1:0] commit_bank,
  input  logic [11:0] commit_slot,
  input  logic commit_valid,
  input  logic [96:0] commit_key,
  input  logic [9:0] commit_value
);
  logic [3:0] select;
  logic any;
  logic [9:0] merged;
  logic [107:0] entry_in;
  logic [11:0] slot;
  logic [107:0] read;
  logic [9:0] ram_0_read_address;
  logic [107:0] ram_0_read_data;
  logic [9:0] ram_0_write_address;
  logic [107:0] ram_0_write_data;
  logic ram_0_write_enable;
  logic [9:0] ram_1_read_address;
  logic [107:0] ram_1_read_data;
  logic [9:0] ram_1_write_address;
  logic [107:0] ram_1_write_data;
  logic ram_1_write_enable;
  logic [9:0] ram_2_read_address;
  logic [107:0] ram_2_read_data;
  logic [9:0] ram_2_write_address;
  logic [107:0] ram_2_write_data;
  logic ram_2_write_enable;
  logic [9:0] ram_3_read_address;
  logic [107:0] ram_3_read_data;
  logic [9:0] ram_3_write_address;
  logic [107:0] ram_3_write_data;
  logic ram_3_write_enable;
  logic [9:0] entry_0_d;
  logic [9:0] entry_0_q;
  logic [9:0] entry_1_d;
  logic [9:0] entry_1_q;
  logic [9:0] entry_2_d;
  logic [9:0] entry_2_q;
  logic [9:0] entry_3_d;
  logic [9:0] entry_3_q;
  logic same_0_d;
  logic same_0_q;
  logic same_1_d;
  logic same_1_q;
  logic same_2_d;
  logic same_2_q;
  logic same_3_d;
  logic same_3_q;
  logic found_d;
  logic found_q;
  logic [9:0] result_d;
  logic [9:0] result_q;
  ipos_card_classify_forward_ram_0 ram_0 (
    .read_address(ram_0_read_address),
    .read_clock(clock),
    .read_data(ram_0_read_data),
    .write_address(ram_0_write_address),
    .write_clock(clock),
    .write_data(ram_0_write_data),
    .write_enable(ram_0_write_enable)
  );
  ipos_card_classify_forward_ram_0 ram_1 (
    .read_address(ram_1_read_address),
    .read_clock(clock),
    .read_data(ram_1_read_data),
    .write_address(ram_1_write_address),
    .write_clock(clock),
    .write_data(ram_1_write_data),
    .write_enable(ram_1_write_enable)
  );
  ipos_card_classify_forward_ram_0 ram_2 (
    .read_address(ram_2_read_address),
    .read_clock(clock),
    .read_data(ram_2_read_data),
    .write_address(ram_2_write_address),
    .write_clock(clock),
    .write_data(ram_2_write_data),
    .write_enable(ram_2_write_enable)
  );
  ipos_card_classify_forward_ram_0 ram_3 (
    .read_address(ram_3_read_address),
    .read_clock(clock),
    .read_data(ram_3_read_data),
    .write_address(ram_3_write_address),
    .write_clock(clock),
    .write_data(ram_3_write_data),
    .write_enable(ram_3_write_enable)
  );
  initial entry_0_q = 10'h0;
  always @(posedge clock) entry_0_q <= entry_0_d;
  initial entry_1_q = 10'h0;
  always @(posedge clock) entry_1_q <= entry_1_d;
  initial entry_2_q = 10'h0;
  always @(posedge clock) entry_2_q <= entry_2_d;
  initial entry_3_q = 10'h0;
  always @(posedge clock) entry_3_q <= entry_3_d;
  initial same_0_q = 1'h0;
  always @(posedge clock) same_0_q <= same_0_d;
  initial same_1_q = 1'h0;
  always @(posedge clock) same_1_q <= same_1_d;
  initial same_2_q = 1'h0;
  always @(posedge clock) same_2_q <= same_2_d;
  initial same_3_q = 1'h0;
  always @(posedge clock) same_3_q <= same_3_d;
  initial found_q = 1'h0;
  always @(posedge clock) found_q <= found_d;
  initial result_q = 10'h0;
  always @(posedge clock) result_q <= result_d;
  always_comb begin
    found_d = found_q;
    result_d = result_q;
    entry_in = (({98'h0, commit_value} << 98) | {11'h0, commit_key});
    if (commit_valid) begin
      entry_in = ((({98'h0, commit_value} << 98) | {11'h0, commit_key}) | (108'h1 << 97));
    end
    select = (4'h1 << commit_bank);
    any = 1'h0;
    merged = 10'h0;
    slot = hash[11:0];
    ram_0_read_address = slot[9:0];
    ram_0_write_address = commit_slot[9:0];
    ram_0_write_data = entry_in;
    ram_0_write_enable = (commit & select[0]);
    read = ram_0_read_data;
    same_0_d = (read[97] & (read[96:0] == key));
    entry_0_d = read[107:98];
    if (same_0_q) begin
      any = 1'h1;
      merged = (merged | entry_0_q);
    end
    slot = hash[23:12];
    ram_1_read_address = slot[9:0];
    ram_1_write_address = commit_slot[9:0];
    ram_1_write_data = entry_in;
    ram_1_write_enable = (commit & select[1]);
    read = ram_1_read_data;
    same_1_d = (read[97] & (read[96:0] == key));
    entry_1_d = read[107:98];
    if (same_1_q) begin
      any = 1'h1;
      merged = (merged | entry_1_q);
    end
    slot = hash[35:24];
    ram_2_read_address = slot[9:0];
    ram_2_write_address = commit_slot[9:0];
    ram_2_write_data = entry_in;
    ram_2_write_enable = (commit & select[2]);
    read = ram_2_read_data;
    same_2_d = (read[97] & (read[96:0] == key));
    entry_2_d = read[107:98];
    if (same_2_q) begin
      any = 1'h1;
      merged = (merged | entry_2_q);
    end
    slot = hash[47:36];
    ram_3_read_address = slot[9:0];
    ram_3_write_address = commit_slot[9:0];
    ram_3_write_data = entry_in;
    ram_3_write_enable = (commit & select[3]);
    read = ram_3_read_data;
    same_3_d = (read[97] & (read[96:0] == key));
    entry_3_d = read[107:98];
    if (same_3_q) begin
      any = 1'h1;
      merged = (merged | entry_3_q);
    end
    found_d = any;
    result_d = merged;
    hit = found_q;
    value = result_q;
  end
endmodule

module ipos_card_classify_endpoint_ram_0 (
  input  logic [8:0] read_address,
  input  logic read_clock,
  output logic [129:0] read_data,
  input  logic [8:0] write_address,
  input  logic write_clock,
  input  logic [129:0] write_data,
  input  logic write_enable
);
reg[129:0] mem[511:0];



always @(posedge read_clock) begin
   read_data <= mem[read_address];
end

always @(posedge write_clock) begin
   if (write_enable) begin
      mem[write_address] <= write_data;
   end
end
            
endmodule

module ipos_card_classify_endpoint (
  input  logic clock,
  input  logic [47:0] hash,
  input  logic [96:0] key,
  output logic hit,
  output logic [31:0] value,
  input  logic commit,
  input  logic [1:0] commit_bank,
  input  logic [11:0] commit_slot,
  input  logic commit_valid,
  input  logic [96:0] commit_key,
  input  logic [31:0] commit_value
);
  logic [3:0] select;
  logic any;
  logic [31:0] merged;
  logic [129:0] entry_in;
  logic [11:0] slot;
  logic [129:0] read;
  logic [8:0] ram_0_read_address;
  logic [129:0] ram_0_read_data;
  logic [8:0] ram_0_write_address;
  logic [129:0] ram_0_write_data;
  logic ram_0_write_enable;
  logic [8:0] ram_1_read_address;
  logic [129:0] ram_1_read_data;
  logic [8:0] ram_1_write_address;
  logic [129:0] ram_1_write_data;
  logic ram_1_write_enable;
  logic [8:0] ram_2_read_address;
  logic [129:0] ram_2_read_data;
  logic [8:0] ram_2_write_address;
  logic [129:0] ram_2_write_data;
  logic ram_2_write_enable;
  logic [8:0] ram_3_read_address;
  logic [129:0] ram_3_read_data;
  logic [8:0] ram_3_write_address;
  logic [129:0] ram_3_write_data;
  logic ram_3_write_enable;
  logic [31:0] entry_0_d;
  logic [31:0] entry_0_q;
  logic [31:0] entry_1_d;
  logic [31:0] entry_1_q;
  logic [31:0] entry_2_d;
  logic [31:0] entry_2_q;
  logic [31:0] entry_3_d;
  logic [31:0] entry_3_q;
  logic same_0_d;
  logic same_0_q;
  logic same_1_d;
  logic same_1_q;
  logic same_2_d;
  logic same_2_q;
  logic same_3_d;
  logic same_3_q;
  logic found_d;
  logic found_q;
  logic [31:0] result_d;
  logic [31:0] result_q;
  ipos_card_classify_endpoint_ram_0 ram_0 (
    .read_address(ram_0_read_address),
    .read_clock(clock),
    .read_data(ram_0_read_data),
    .write_address(ram_0_write_address),
    .write_clock(clock),
    .write_data(ram_0_write_data),
    .write_enable(ram_0_write_enable)
  );
  ipos_card_classify_endpoint_ram_0 ram_1 (
    .read_address(ram_1_read_address),
    .read_clock(clock),
    .read_data(ram_1_read_data),
    .write_address(ram_1_write_address),
    .write_clock(clock),
    .write_data(ram_1_write_data),
    .write_enable(ram_1_write_enable)
  );
  ipos_card_classify_endpoint_ram_0 ram_2 (
    .read_address(ram_2_read_address),
    .read_clock(clock),
    .read_data(ram_2_read_data),
    .write_address(ram_2_write_address),
    .write_clock(clock),
    .write_data(ram_2_write_data),
    .write_enable(ram_2_write_enable)
  );
  ipos_card_classify_endpoint_ram_0 ram_3 (
    .read_address(ram_3_read_address),
    .read_clock(clock),
    .read_data(ram_3_read_data),
    .write_address(ram_3_write_address),
    .write_clock(clock),
    .write_data(ram_3_write_data),
    .write_enable(ram_3_write_enable)
  );
  initial entry_0_q = 32'h0;
  always @(posedge clock) entry_0_q <= entry_0_d;
  initial entry_1_q = 32'h0;
  always @(posedge clock) entry_1_q <= entry_1_d;
  initial entry_2_q = 32'h0;
  always @(posedge clock) entry_2_q <= entry_2_d;
  initial entry_3_q = 32'h0;
  always @(posedge clock) entry_3_q <= entry_3_d;
  initial same_0_q = 1'h0;
  always @(posedge clock) same_0_q <= same_0_d;
  initial same_1_q = 1'h0;
  always @(posedge clock) same_1_q <= same_1_d;
  initial same_2_q = 1'h0;
  always @(posedge clock) same_2_q <= same_2_d;
  initial same_3_q = 1'h0;
  always @(posedge clock) same_3_q <= same_3_d;
  initial found_q = 1'h0;
  always @(posedge clock) found_q <= found_d;
  initial result_q = 32'h0;
  always @(posedge clock) result_q <= result_d;
  always_comb begin
    found_d = found_q;
    result_d = result_q;
    entry_in = (({98'h0, commit_value} << 98) | {33'h0, commit_key});
    if (commit_valid) begin
      entry_in = ((({98'h0, commit_value} << 98) | {33'h0, commit_key}) | (130'h1 << 97));
    end
    select = (4'h1 << commit_bank);
    any = 1'h0;
    merged = 32'h0;
    slot = hash[11:0];
    ram_0_read_address = slot[8:0];
    ram_0_write_address = commit_slot[8:0];
    ram_0_write_data = entry_in;
    ram_0_write_enable = (commit & select[0]);
    read = ram_0_read_data;
    same_0_d = (read[97] & (read[96:0] == key));
    entry_0_d = read[129:98];
    if (same_0_q) begin
      any = 1'h1;
      merged = (merged | entry_0_q);
    end
    slot = hash[23:12];
    ram_1_read_address = slot[8:0];
    ram_1_write_address = commit_slot[8:0];
    ram_1_write_data = entry_in;
    ram_1_write_enable = (commit & select[1]);
    read = ram_1_read_data;
    same_1_d = (read[97] & (read[96:0] == key));
    entry_1_d = read[129:98];
    if (same_1_q) begin
      any = 1'h1;
      merged = (merged | entry_1_q);
    end
    slot = hash[35:24];
    ram_2_read_address = slot[8:0];
    ram_2_write_address = commit_slot[8:0];
    ram_2_write_data = entry_in;
    ram_2_write_enable = (commit & select[2]);
    read = ram_2_read_data;
    same_2_d = (read[97] & (read[96:0] == key));
    entry_2_d = read[129:98];
    if (same_2_q) begin
      any = 1'h1;
      merged = (merged | entry_2_q);
    end
    slot = hash[47:36];
    ram_3_read_address = slot[8:0];
    ram_3_write_address = commit_slot[8:0];
    ram_3_write_data = entry_in;
    ram_3_write_enable = (commit & select[3]);
    read = ram_3_read_data;
    same_3_d = (read[97] & (read[96:0] == key));
    entry_3_d = read[129:98];
    if (same_3_q) begin
      any = 1'h1;
      merged = (merged | entry_3_q);
    end
    found_d = any;
    result_d = merged;
    hit = found_q;
    value = result_q;
  end
endmodule

module ipos_card_classify_dests_ram (
  input  logic [7:0] read_address,
  input  logic read_clock,
  output logic [51:0] read_data,
  input  logic [7:0] write_address,
  input  logic write_clock,
  input  logic [51:0] write_data,
  input  logic write_enable
);
reg[51:0] mem[255:0];



always @(posedge read_clock) begin
   read_data <= mem[read_address];
end

always @(posedge write_clock) begin
   if (write_enable) begin
      mem[write_address] <= write_data;
   end
end
            
endmodule

module ipos_card_classify_dests (
  input  logic clock,
  input  logic [7:0] index,
  output logic [51:0] value,
  input  logic commit,
  input  logic [7:0] commit_index,
  input  logic [51:0] commit_value
);
  logic [7:0] ram_read_address;
  logic [51:0] ram_read_data;
  logic [7:0] ram_write_address;
  logic [51:0] ram_write_data;
  logic ram_write_enable;
  ipos_card_classify_dests_ram ram (
    .read_address(ram_read_address),
    .read_clock(clock),
    .read_data(ram_read_data),
    .write_address(ram_write_address),
    .write_clock(clock),
    .write_data(ram_write_data),
    .write_enable(ram_write_enable)
  );
  always_comb begin
    ram_read_address = index;
    ram_write_address = commit_index;
    ram_write_data = commit_value;
    ram_write_enable = commit;
    value = ram_read_data;
  end
endmodule

module ipos_card_classify_neighbours_ram (
  input  logic [3:0] read_address,
  input  logic read_clock,
  output logic [48:0] read_data,
  input  logic [3:0] write_address,
  input  logic write_clock,
  input  logic [48:0] write_data,
  input  logic write_enable
);
reg[48:0] mem[15:0];



always @(posedge read_clock) begin
   read_data <= mem[read_address];
end

always @(posedge write_clock) begin
   if (write_enable) begin
      mem[write_address] <= write_data;
   end
end
            
endmodule

module ipos_card_classify_neighbours (
  input  logic clock,
  input  logic [3:0] index,
  output logic [48:0] value,
  input  logic commit,
  input  logic [3:0] commit_index,
  input  logic [48:0] commit_value
);
  logic [3:0] ram_read_address;
  logic [48:0] ram_read_data;
  logic [3:0] ram_write_address;
  logic [48:0] ram_write_data;
  logic ram_write_enable;
  ipos_card_classify_neighbours_ram ram (
    .read_address(ram_read_address),
    .read_clock(clock),
    .read_data(ram_read_data),
    .write_address(ram_write_address),
    .write_clock(clock),
    .write_data(ram_write_data),
    .write_enable(ram_write_enable)
  );
  always_comb begin
    ram_read_address = index;
    ram_write_address = commit_index;
    ram_write_data = commit_value;
    ram_write_enable = commit;
    value = ram_read_data;
  end
endmodule

module ipos_card_classify_decide (
  input  logic [209:0] meta,
  input  logic back,
  input  logic ip_ok,
  input  logic ipos_ok,
  input  logic [11:0] vlan,
  input  logic vlan_enable,
  input  logic forward_hit,
  input  logic [1:0] action,
  input  logic endpoint_hit,
  input  logic [31:0] endpoint,
  input  logic [31:0] dest_ip,
  input  logic [15:0] dest_port,
  input  logic [47:0] neighbour,
  input  logic neighbour_valid,
  output logic [232:0] verdict
);
  logic inner;
  logic no_key;
  logic vlan_ok;
  logic [2:0] l3;
  logic [232:0] v;
  logic [15:0] tmp0;
  logic [7:0] tmp1;
  always_comb begin
    tmp0 = 16'h0;
    tmp1 = 8'h0;
    inner = (back & meta[3]);
    no_key = (((((meta[24:22] != 3'h0) | meta[25]) | meta[29]) | meta[30]) | (meta[28:26] != 3'h0));
    vlan_ok = (~meta[193]);
    if (vlan_enable) begin
      tmp0 = meta[209:194];
      vlan_ok = (meta[193] & (tmp0[11:0] == vlan));
    end
    l3 = 3'h1;
    if ((meta[24:22] != 3'h0)) begin
      l3 = meta[24:22];
    end else begin
      if ((~ip_ok)) begin
        l3 = 3'h2;
      end else begin
        if (meta[25]) begin
          l3 = 3'h4;
        end else begin
          if ((meta[28:26] != 3'h0)) begin
            l3 = meta[28:26];
          end
        end
      end
    end
    v[0] = 1'h0;
    v[1] = 1'h0;
    v[2] = 1'h0;
    v[3] = 1'h0;
    v[8:4] = 5'h0;
    v[9] = 1'h0;
    v[12:10] = 3'h0;
    v[13] = 1'h0;
    v[14] = (meta[31] | no_key);
    v[22:15] = 8'h0;
    v[38:23] = meta[144:129];
    v[39] = meta[193];
    v[55:40] = meta[209:194];
    v[87:56] = 32'h0;
    v[88] = meta[32];
    v[120:89] = meta[64:33];
    v[136:121] = meta[112:97];
    v[168:137] = dest_ip;
    v[184:169] = dest_port;
    v[232:185] = neighbour;
    if (meta[0]) begin
      v[0] = 1'h1;
      v[8:4] = 5'h3;
    end else begin
      if ((~meta[1])) begin
        v[0] = 1'h1;
        v[8:4] = 5'h4;
      end else begin
        if ((meta[3] & (~back))) begin
          v[0] = 1'h1;
          v[8:4] = 5'h5;
        end else begin
          if (meta[2]) begin
            v[2] = 1'h1;
            v[8:4] = 5'h5;
          end else begin
            if ((inner & meta[4])) begin
              v[2] = 1'h1;
              v[8:4] = 5'hb;
              v[12:10] = 3'h3;
            end else begin
              if (((inner & (meta[12:5] == 8'h2)) & (~ipos_ok))) begin
                v[0] = 1'h1;
                v[8:4] = 5'h6;
              end else begin
                tmp1 = meta[12:5];
                if ((inner & (((meta[12:5] == 8'h1) | (meta[12:5] == 8'h3)) | tmp1[7]))) begin
                  v[3] = 1'h1;
                  v[8:4] = 5'hd;
                  v[22:15] = meta[20:13];
                end else begin
                  if ((inner & (meta[12:5] != 8'h2))) begin
                    v[2] = 1'h1;
                    v[8:4] = 5'ha;
                  end else begin
                    if ((~meta[21])) begin
                      v[2] = 1'h1;
                      v[8:4] = 5'h6;
                    end else begin
                      v[9] = inner;
                      v[12:10] = l3;
                      v[13] = (l3 == 3'h1);
                      v[2] = 1'h1;
                      if (((meta[24:22] != 3'h0) | meta[25])) begin
                        v[8:4] = 5'h9;
                      end else begin
                        if (meta[29]) begin
                          v[8:4] = 5'h7;
                        end else begin
                          if (meta[30]) begin
                            v[8:4] = 5'h8;
                          end else begin
                            if ((meta[28:26] != 3'h0)) begin
                              v[8:4] = 5'h9;
                            end else begin
                              if ((back & (~inner))) begin
                                v[8:4] = 5'hc;
                              end else begin
                                if ((~vlan_ok)) begin
                                  v[8:4] = 5'h4;
                                end else begin
                                  if ((inner & endpoint_hit)) begin
                                    v[8:4] = 5'h1;
                                    v[87:56] = endpoint;
                                  end else begin
                                    if ((~forward_hit)) begin
                                      v[8:4] = 5'h0;
                                      if (inner) begin
                                        v[8:4] = 5'h2;
                                      end
                                    end else begin
                                      if ((action == 2'h0)) begin
                                        v[2] = 1'h0;
                                        v[0] = 1'h1;
                                        if ((~ip_ok)) begin
                                          v[8:4] = 5'h7;
                                        end else begin
                                          if ((~neighbour_valid)) begin
                                            v[8:4] = 5'h9;
                                          end else begin
                                            if ((inner & (neighbour == meta[192:145]))) begin
                                              v[8:4] = 5'ha;
                                            end else begin
                                              v[0] = 1'h0;
                                              v[1] = 1'h1;
                                            end
                                          end
                                        end
                                      end else begin
                                        if ((action == 2'h2)) begin
                                          v[2] = 1'h0;
                                          v[0] = 1'h1;
                                          v[8:4] = 5'h8;
                                        end else begin
                                          v[8:4] = 5'h3;
                                        end
                                      end
                                    end
                                  end
                                end
                              end
                            end
                          end
                        end
                      end
                    end
                  end
                end
              end
            end
          end
        end
      end
    end
    verdict = v;
  end
endmodule

module ipos_card_classify_flights_ram (
  input  logic [3:0] read_address,
  input  logic read_clock,
  output logic [212:0] read_data,
  input  logic [3:0] write_address,
  input  logic write_clock,
  input  logic [212:0] write_data,
  input  logic write_enable
);
reg[212:0] mem[15:0];



always @(posedge read_clock) begin
   read_data <= mem[read_address];
end

always @(posedge write_clock) begin
   if (write_enable) begin
      mem[write_address] <= write_data;
   end
end
            
endmodule

module ipos_card_classify_flights (
  input  logic clock,
  input  logic reset,
  input  logic [212:0] data_in,
  input  logic write,
  output logic [212:0] data_out,
  output logic valid,
  input  logic read,
  output logic [4:0] level
);
  logic [4:0] rd_next;
  logic [3:0] ram_read_address;
  logic [212:0] ram_read_data;
  logic [3:0] ram_write_address;
  logic [212:0] ram_write_data;
  logic ram_write_enable;
  logic [4:0] wr_d;
  logic [4:0] wr_q;
  logic [4:0] rd_d;
  logic [4:0] rd_q;
  logic full_word_d;
  logic full_word_q;
  ipos_card_classify_flights_ram ram (
    .read_address(ram_read_address),
    .read_clock(clock),
    .read_data(ram_read_data),
    .write_address(ram_write_address),
    .write_clock(clock),
    .write_data(ram_write_data),
    .write_enable(ram_write_enable)
  );
  initial wr_q = 5'h0;
  always @(posedge clock) wr_q <= wr_d;
  initial rd_q = 5'h0;
  always @(posedge clock) rd_q <= rd_d;
  initial full_word_q = 1'h0;
  always @(posedge clock) full_word_q <= full_word_d;
  always_comb begin
    wr_d = wr_q;
    rd_d = rd_q;
    full_word_d = full_word_q;
    rd_next = rd_q;
    if (read) begin
      rd_next = (rd_q + 5'h1);
    end
    rd_d = rd_next;
    if (write) begin
      wr_d = (wr_q + 5'h1);
    end
    ram_write_address = wr_q[3:0];
    ram_write_data = data_in;
    ram_write_enable = write;
    ram_read_address = rd_next[3:0];
    full_word_d = (rd_next != wr_q);
    data_out = ram_read_data;
    valid = full_word_q;
    level = (wr_q - rd_q);
    if (reset) begin
      wr_d = 5'h0;
      rd_d = 5'h0;
      full_word_d = 1'h0;
    end
  end
endmodule

module ipos_card_classify (
  input  logic clock,
  input  logic reset,
  input  logic [209:0] front_meta,
  input  logic front_ip_ok,
  input  logic front_valid,
  output logic front_read,
  input  logic [209:0] back_meta,
  input  logic back_ip_ok,
  input  logic back_ipos_ok,
  input  logic back_valid,
  output logic back_read,
  output logic [232:0] verdict,
  output logic front_write,
  output logic back_write,
  input  logic [4:0] front_level,
  input  logic [4:0] back_level,
  input  logic [31:0] front_vlan,
  input  logic [31:0] back_vlan,
  input  logic [96:0] key,
  input  logic [31:0] value,
  input  logic [11:0] slot,
  input  logic [1:0] bank,
  input  logic entry_valid,
  input  logic commit_forward,
  input  logic commit_endpoint,
  output logic committed,
  input  logic [51:0] dest,
  input  logic commit_dest,
  input  logic [48:0] neighbour,
  input  logic commit_neighbour,
  input  logic [7:0] index
);
  logic front_ok;
  logic back_ok;
  logic pick_back;
  logic commits;
  logic take;
  logic [212:0] flight;
  logic [209:0] picked;
  logic [96:0] k;
  logic hash_valid;
  logic [96:0] hash_key;
  logic [47:0] hash_bits;
  logic [47:0] forward_hash;
  logic [96:0] forward_key;
  logic forward_hit;
  logic [9:0] forward_value;
  logic forward_commit;
  logic [1:0] forward_commit_bank;
  logic [11:0] forward_commit_slot;
  logic forward_commit_valid;
  logic [96:0] forward_commit_key;
  logic [9:0] forward_commit_value;
  logic [47:0] endpoint_hash;
  logic [96:0] endpoint_key;
  logic endpoint_hit;
  logic [31:0] endpoint_value;
  logic endpoint_commit;
  logic [1:0] endpoint_commit_bank;
  logic [11:0] endpoint_commit_slot;
  logic endpoint_commit_valid;
  logic [96:0] endpoint_commit_key;
  logic [31:0] endpoint_commit_value;
  logic [7:0] dests_index;
  logic [51:0] dests_value;
  logic dests_commit;
  logic [7:0] dests_commit_index;
  logic [51:0] dests_commit_value;
  logic [3:0] neighbours_index;
  logic [48:0] neighbours_value;
  logic neighbours_commit;
  logic [3:0] neighbours_commit_index;
  logic [48:0] neighbours_commit_value;
  logic [209:0] decide_meta;
  logic decide_back;
  logic decide_ip_ok;
  logic decide_ipos_ok;
  logic [11:0] decide_vlan;
  logic decide_vlan_enable;
  logic decide_forward_hit;
  logic [1:0] decide_action;
  logic decide_endpoint_hit;
  logic [31:0] decide_endpoint;
  logic [31:0] decide_dest_ip;
  logic [15:0] decide_dest_port;
  logic [47:0] decide_neighbour;
  logic decide_neighbour_valid;
  logic [232:0] decide_verdict;
  logic flights_reset;
  logic [212:0] flights_data_in;
  logic flights_write;
  logic [212:0] flights_data_out;
  logic flights_valid;
  logic flights_read;
  logic [4:0] flights_level;
  logic turn_d;
  logic turn_q;
  logic [96:0] key1_d;
  logic [96:0] key1_q;
  logic [96:0] key2_d;
  logic [96:0] key2_q;
  logic [96:0] key3_d;
  logic [96:0] key3_q;
  logic [47:0] hash2_d;
  logic [47:0] hash2_q;
  logic valid1_d;
  logic valid1_q;
  logic valid2_d;
  logic valid2_q;
  logic valid3_d;
  logic valid3_q;
  logic valid4_d;
  logic valid4_q;
  logic valid5_d;
  logic valid5_q;
  logic valid6_d;
  logic valid6_q;
  logic valid7_d;
  logic valid7_q;
  logic commit_f1_d;
  logic commit_f1_q;
  logic commit_f2_d;
  logic commit_f2_q;
  logic commit_e1_d;
  logic commit_e1_q;
  logic commit_e2_d;
  logic commit_e2_q;
  logic hit6_d;
  logic hit6_q;
  logic hit7_d;
  logic hit7_q;
  logic [1:0] action6_d;
  logic [1:0] action6_q;
  logic [1:0] action7_d;
  logic [1:0] action7_q;
  logic ehit6_d;
  logic ehit6_q;
  logic ehit7_d;
  logic ehit7_q;
  logic [31:0] eref6_d;
  logic [31:0] eref6_q;
  logic [31:0] eref7_d;
  logic [31:0] eref7_q;
  logic [47:0] dest7_d;
  logic [47:0] dest7_q;
  logic [232:0] out_d;
  logic [232:0] out_q;
  logic out_front_d;
  logic out_front_q;
  logic out_back_d;
  logic out_back_q;
  ipos_card_classify_hash hash (
    .valid(hash_valid),
    .key(hash_key),
    .bits(hash_bits)
  );
  ipos_card_classify_forward forward (
    .clock(clock),
    .hash(forward_hash),
    .key(forward_key),
    .hit(forward_hit),
    .value(forward_value),
    .commit(forward_commit),
    .commit_bank(forward_commit_bank),
    .commit_slot(forward_commit_slot),
    .commit_valid(forward_commit_valid),
    .commit_key(forward_commit_key),
    .commit_value(forward_commit_value)
  );
  ipos_card_classify_endpoint endpoint (
    .clock(clock),
    .hash(endpoint_hash),
    .key(endpoint_key),
    .hit(endpoint_hit),
    .value(endpoint_value),
    .commit(endpoint_commit),
    .commit_bank(endpoint_commit_bank),
    .commit_slot(endpoint_commit_slot),
    .commit_valid(endpoint_commit_valid),
    .commit_key(endpoint_commit_key),
    .commit_value(endpoint_commit_value)
  );
  ipos_card_classify_dests dests (
    .clock(clock),
    .index(dests_index),
    .value(dests_value),
    .commit(dests_commit),
    .commit_index(dests_commit_index),
    .commit_value(dests_commit_value)
  );
  ipos_card_classify_neighbours neighbours (
    .clock(clock),
    .index(neighbours_index),
    .value(neighbours_value),
    .commit(neighbours_commit),
    .commit_index(neighbours_commit_index),
    .commit_value(neighbours_commit_value)
  );
  ipos_card_classify_decide decide (
    .meta(decide_meta),
    .back(decide_back),
    .ip_ok(decide_ip_ok),
    .ipos_ok(decide_ipos_ok),
    .vlan(decide_vlan),
    .vlan_enable(decide_vlan_enable),
    .forward_hit(decide_forward_hit),
    .action(decide_action),
    .endpoint_hit(decide_endpoint_hit),
    .endpoint(decide_endpoint),
    .dest_ip(decide_dest_ip),
    .dest_port(decide_dest_port),
    .neighbour(decide_neighbour),
    .neighbour_valid(decide_neighbour_valid),
    .verdict(decide_verdict)
  );
  ipos_card_classify_flights flights (
    .clock(clock),
    .reset(flights_reset),
    .data_in(flights_data_in),
    .write(flights_write),
    .data_out(flights_data_out),
    .valid(flights_valid),
    .read(flights_read),
    .level(flights_level)
  );
  initial turn_q = 1'h0;
  always @(posedge clock) turn_q <= turn_d;
  initial key1_q = 97'h0;
  always @(posedge clock) key1_q <= key1_d;
  initial key2_q = 97'h0;
  always @(posedge clock) key2_q <= key2_d;
  initial key3_q = 97'h0;
  always @(posedge clock) key3_q <= key3_d;
  initial hash2_q = 48'h0;
  always @(posedge clock) hash2_q <= hash2_d;
  initial valid1_q = 1'h0;
  always @(posedge clock) valid1_q <= valid1_d;
  initial valid2_q = 1'h0;
  always @(posedge clock) valid2_q <= valid2_d;
  initial valid3_q = 1'h0;
  always @(posedge clock) valid3_q <= valid3_d;
  initial valid4_q = 1'h0;
  always @(posedge clock) valid4_q <= valid4_d;
  initial valid5_q = 1'h0;
  always @(posedge clock) valid5_q <= valid5_d;
  initial valid6_q = 1'h0;
  always @(posedge clock) valid6_q <= valid6_d;
  initial valid7_q = 1'h0;
  always @(posedge clock) valid7_q <= valid7_d;
  initial commit_f1_q = 1'h0;
  always @(posedge clock) commit_f1_q <= commit_f1_d;
  initial commit_f2_q = 1'h0;
  always @(posedge clock) commit_f2_q <= commit_f2_d;
  initial commit_e1_q = 1'h0;
  always @(posedge clock) commit_e1_q <= commit_e1_d;
  initial commit_e2_q = 1'h0;
  always @(posedge clock) commit_e2_q <= commit_e2_d;
  initial hit6_q = 1'h0;
  always @(posedge clock) hit6_q <= hit6_d;
  initial hit7_q = 1'h0;
  always @(posedge clock) hit7_q <= hit7_d;
  initial action6_q = 2'h0;
  always @(posedge clock) action6_q <= action6_d;
  initial action7_q = 2'h0;
  always @(posedge clock) action7_q <= action7_d;
  initial ehit6_q = 1'h0;
  always @(posedge clock) ehit6_q <= ehit6_d;
  initial ehit7_q = 1'h0;
  always @(posedge clock) ehit7_q <= ehit7_d;
  initial eref6_q = 32'h0;
  always @(posedge clock) eref6_q <= eref6_d;
  initial eref7_q = 32'h0;
  always @(posedge clock) eref7_q <= eref7_d;
  initial dest7_q = 48'h0;
  always @(posedge clock) dest7_q <= dest7_d;
  initial out_q = 233'h0;
  always @(posedge clock) out_q <= out_d;
  initial out_front_q = 1'h0;
  always @(posedge clock) out_front_q <= out_front_d;
  initial out_back_q = 1'h0;
  always @(posedge clock) out_back_q <= out_back_d;
  always_comb begin
    turn_d = turn_q;
    key1_d = key1_q;
    key2_d = key2_q;
    key3_d = key3_q;
    hash2_d = hash2_q;
    valid1_d = valid1_q;
    valid2_d = valid2_q;
    valid3_d = valid3_q;
    valid4_d = valid4_q;
    valid5_d = valid5_q;
    valid6_d = valid6_q;
    valid7_d = valid7_q;
    commit_f1_d = commit_f1_q;
    commit_f2_d = commit_f2_q;
    commit_e1_d = commit_e1_q;
    commit_e2_d = commit_e2_q;
    hit6_d = hit6_q;
    hit7_d = hit7_q;
    action6_d = action6_q;
    action7_d = action7_q;
    ehit6_d = ehit6_q;
    ehit7_d = ehit7_q;
    eref6_d = eref6_q;
    eref7_d = eref7_q;
    dest7_d = dest7_q;
    out_d = out_q;
    out_front_d = out_front_q;
    out_back_d = out_back_q;
    flights_reset = reset;
    commits = ((commit_forward | commit_endpoint) & (~(((commit_f1_q | commit_e1_q) | commit_f2_q) | commit_e2_q)));
    front_ok = (front_valid & (front_level < 5'h6));
    back_ok = (back_valid & (back_level < 5'h6));
    pick_back = (back_ok & ((~front_ok) | turn_q));
    take = ((front_ok | back_ok) & (~commits));
    front_read = (take & (~pick_back));
    back_read = (take & pick_back);
    if (take) begin
      turn_d = (~pick_back);
    end
    picked = front_meta;
    flight[210] = front_ip_ok;
    flight[211] = 1'h0;
    flight[212] = pick_back;
    if (pick_back) begin
      picked = back_meta;
      flight[210] = back_ip_ok;
      flight[211] = back_ipos_ok;
    end
    flight[209:0] = picked;
    flights_data_in = flight;
    flights_write = take;
    k = (((({65'h0, picked[64:33]} << 64) | ({81'h0, picked[112:97]} << 48)) | ({65'h0, picked[96:65]} << 16)) | {81'h0, picked[128:113]});
    if (picked[32]) begin
      k = ((k & ~(97'h1 << 96)) | ({96'h0, 1'h1} << 96));
    end
    valid1_d = take;
    commit_f1_d = (commits & commit_forward);
    commit_e1_d = (commits & commit_endpoint);
    if (take) begin
      key1_d = k;
    end
    hash_valid = valid1_q;
    hash_key = key1_q;
    hash2_d = hash_bits;
    key2_d = key1_q;
    valid2_d = valid1_q;
    commit_f2_d = commit_f1_q;
    commit_e2_d = commit_e1_q;
    key3_d = key2_q;
    valid3_d = valid2_q;
    valid4_d = valid3_q;
    valid5_d = valid4_q;
    forward_hash = hash2_q;
    forward_key = key3_q;
    forward_commit = commit_f2_q;
    forward_commit_bank = bank;
    forward_commit_slot = slot;
    forward_commit_valid = entry_valid;
    forward_commit_key = key;
    forward_commit_value = value[9:0];
    endpoint_hash = hash2_q;
    endpoint_key = key3_q;
    endpoint_commit = commit_e2_q;
    endpoint_commit_bank = bank;
    endpoint_commit_slot = slot;
    endpoint_commit_valid = entry_valid;
    endpoint_commit_key = key;
    endpoint_commit_value = value;
    committed = (commit_f2_q | commit_e2_q);
    dests_index = forward_value[7:0];
    dests_commit = commit_dest;
    dests_commit_index = index;
    dests_commit_value = dest;
    hit6_d = forward_hit;
    action6_d = forward_value[9:8];
    ehit6_d = endpoint_hit;
    eref6_d = endpoint_value;
    valid6_d = valid5_q;
    neighbours_index = dests_value[51:48];
    neighbours_commit = commit_neighbour;
    neighbours_commit_index = index[3:0];
    neighbours_commit_value = neighbour;
    dest7_d = dests_value[47:0];
    hit7_d = hit6_q;
    action7_d = action6_q;
    ehit7_d = ehit6_q;
    eref7_d = eref6_q;
    valid7_d = valid6_q;
    decide_meta = flights_data_out[209:0];
    decide_ip_ok = flights_data_out[210];
    decide_ipos_ok = flights_data_out[211];
    decide_back = flights_data_out[212];
    decide_vlan = front_vlan[11:0];
    decide_vlan_enable = front_vlan[31];
    if (flights_data_out[212]) begin
      decide_vlan = back_vlan[11:0];
      decide_vlan_enable = back_vlan[31];
    end
    decide_forward_hit = hit7_q;
    decide_action = action7_q;
    decide_endpoint_hit = ehit7_q;
    decide_endpoint = eref7_q;
    decide_dest_ip = dest7_q[31:0];
    decide_dest_port = dest7_q[47:32];
    decide_neighbour = neighbours_value[47:0];
    decide_neighbour_valid = neighbours_value[48];
    flights_read = valid7_q;
    out_front_d = (valid7_q & (~flights_data_out[212]));
    out_back_d = (valid7_q & flights_data_out[212]);
    if (valid7_q) begin
      out_d = decide_verdict;
    end
    verdict = out_q;
    front_write = out_front_q;
    back_write = out_back_q;
    if (reset) begin
      valid1_d = 1'h0;
      valid2_d = 1'h0;
      valid3_d = 1'h0;
      valid4_d = 1'h0;
      valid5_d = 1'h0;
      valid6_d = 1'h0;
      valid7_d = 1'h0;
      commit_f1_d = 1'h0;
      commit_f2_d = 1'h0;
      commit_e1_d = 1'h0;
      commit_e2_d = 1'h0;
      out_front_d = 1'h0;
      out_back_d = 1'h0;
    end
  end
endmodule

module ipos_card_front_verdicts_ram (
  input  logic [3:0] read_address,
  input  logic read_clock,
  output logic [232:0] read_data,
  input  logic [3:0] write_address,
  input  logic write_clock,
  input  logic [232:0] write_data,
  input  logic write_enable
);
reg[232:0] mem[15:0];



always @(posedge read_clock) begin
   read_data <= mem[read_address];
end

always @(posedge write_clock) begin
   if (write_enable) begin
      mem[write_address] <= write_data;
   end
end
            
endmodule

module ipos_card_front_verdicts (
  input  logic clock,
  input  logic reset,
  input  logic [232:0] data_in,
  input  logic write,
  output logic [232:0] data_out,
  output logic valid,
  input  logic read,
  output logic [4:0] level
);
  logic [4:0] rd_next;
  logic [3:0] ram_read_address;
  logic [232:0] ram_read_data;
  logic [3:0] ram_write_address;
  logic [232:0] ram_write_data;
  logic ram_write_enable;
  logic [4:0] wr_d;
  logic [4:0] wr_q;
  logic [4:0] rd_d;
  logic [4:0] rd_q;
  logic full_word_d;
  logic full_word_q;
  ipos_card_front_verdicts_ram ram (
    .read_address(ram_read_address),
    .read_clock(clock),
    .read_data(ram_read_data),
    .write_address(ram_write_address),
    .write_clock(clock),
    .write_data(ram_write_data),
    .write_enable(ram_write_enable)
  );
  initial wr_q = 5'h0;
  always @(posedge clock) wr_q <= wr_d;
  initial rd_q = 5'h0;
  always @(posedge clock) rd_q <= rd_d;
  initial full_word_q = 1'h0;
  always @(posedge clock) full_word_q <= full_word_d;
  always_comb begin
    wr_d = wr_q;
    rd_d = rd_q;
    full_word_d = full_word_q;
    rd_next = rd_q;
    if (read) begin
      rd_next = (rd_q + 5'h1);
    end
    rd_d = rd_next;
    if (write) begin
      wr_d = (wr_q + 5'h1);
    end
    ram_write_address = wr_q[3:0];
    ram_write_data = data_in;
    ram_write_enable = write;
    ram_read_address = rd_next[3:0];
    full_word_d = (rd_next != wr_q);
    data_out = ram_read_data;
    valid = full_word_q;
    level = (wr_q - rd_q);
    if (reset) begin
      wr_d = 5'h0;
      rd_d = 5'h0;
      full_word_d = 1'h0;
    end
  end
endmodule

module ipos_card_front_route_normal (
  input  logic clock,
  input  logic reset,
  input  logic [68:0] s_beat,
  input  logic fire,
  input  logic decapsulate,
  input  logic [47:0] front_mac,
  output logic [63:0] data,
  output logic emit,
  output logic first,
  output logic [13:0] number,
  output logic [13:0] raw
);
  logic [63:0] tmp0;
  logic [63:0] rev_i;
  logic [63:0] rev_o;
  logic [13:0] k_d;
  logic [13:0] k_q;
  logic [31:0] source_d;
  logic [31:0] source_q;
  ipos_card_front_rx_rev rev (
    .i(rev_i),
    .o(rev_o)
  );
  initial k_q = 14'h0;
  always @(posedge clock) k_q <= k_d;
  initial source_q = 32'h0;
  always @(posedge clock) source_q <= source_d;
  always_comb begin
    tmp0 = 64'h0;
    k_d = k_q;
    source_d = source_q;
    rev_i = ({16'h0, front_mac} << 16);
    data = s_beat[63:0];
    emit = 1'h1;
    number = k_q;
    if (decapsulate) begin
      if ((k_q == 14'h0)) begin
        data = (rev_o | (s_beat[63:0] & 64'hffff000000000000));
      end else begin
        if ((k_q < 14'h3)) begin
          emit = 1'h0;
          number = 14'h0;
        end else begin
          number = (k_q - 14'h2);
          if ((k_q == 14'h3)) begin
            data = (({32'h0, source_q} | 64'h800000000) | (s_beat[63:0] & 64'hffff000000000000));
          end
        end
      end
    end
    first = (k_q == 14'h0);
    raw = k_q;
    if (fire) begin
      k_d = (k_q + 14'h1);
      if (s_beat[67]) begin
        k_d = 14'h0;
      end
      if ((k_q == 14'h1)) begin
        tmp0 = s_beat[63:0];
        source_d = tmp0[31:0];
      end
    end
    if (reset) begin
      k_d = 14'h0;
    end
  end
endmodule

module ipos_card_front_route (
  input  logic clock,
  input  logic reset,
  input  logic back,
  input  logic [47:0] front_mac,
  input  logic [232:0] verdict,
  input  logic verdict_valid,
  input  logic [68:0] beat,
  input  logic beat_valid,
  input  logic l4_ok,
  input  logic cover_ok,
  input  logic tail_valid,
  output logic take,
  output logic take_last,
  output logic [68:0] fwd_beat,
  output logic fwd_write,
  input  logic [9:0] fwd_level,
  output logic [144:0] fwd_route,
  output logic fwd_route_write,
  input  logic [5:0] fwd_route_level,
  output logic [68:0] out_beat,
  output logic [127:0] out_meta,
  output logic host_write,
  output logic host_end,
  input  logic host_overflow,
  output logic control_write,
  output logic control_end,
  input  logic control_overflow,
  output logic keep,
  output logic [3:0] outcome,
  output logic outcome_valid
);
  logic go;
  logic ends;
  logic [16:0] stop;
  logic [13:0] last_beat;
  logic [2:0] last_cnt;
  logic [13:0] room;
  logic admit;
  logic short;
  logic [68:0] fwd;
  logic [16:0] bytes;
  logic [16:0] raw_bytes;
  logic [68:0] host;
  logic over;
  logic [2:0] l3;
  logic [1:0] l4;
  logic [31:0] flags;
  logic [31:0] word0;
  logic kept;
  logic [144:0] route;
  logic [3:0] code;
  logic [4:0] tmp0;
  logic normal_reset;
  logic [68:0] normal_s_beat;
  logic normal_fire;
  logic normal_decapsulate;
  logic [47:0] normal_front_mac;
  logic [63:0] normal_data;
  logic normal_emit;
  logic normal_first;
  logic [13:0] normal_number;
  logic [13:0] normal_raw;
  logic admitted_d;
  logic admitted_q;
  logic [63:0] pending_d;
  logic [63:0] pending_q;
  logic [31:0] sequence_d;
  logic [31:0] sequence_q;
  logic [3:0] outcome_reg_d;
  logic [3:0] outcome_reg_q;
  logic outcome_strobe_d;
  logic outcome_strobe_q;
  ipos_card_front_route_normal normal (
    .clock(clock),
    .reset(normal_reset),
    .s_beat(normal_s_beat),
    .fire(normal_fire),
    .decapsulate(normal_decapsulate),
    .front_mac(normal_front_mac),
    .data(normal_data),
    .emit(normal_emit),
    .first(normal_first),
    .number(normal_number),
    .raw(normal_raw)
  );
  initial admitted_q = 1'h0;
  always @(posedge clock) admitted_q <= admitted_d;
  initial pending_q = 64'h0;
  always @(posedge clock) pending_q <= pending_d;
  initial sequence_q = 32'h0;
  always @(posedge clock) sequence_q <= sequence_d;
  initial outcome_reg_q = 4'h0;
  always @(posedge clock) outcome_reg_q <= outcome_reg_d;
  initial outcome_strobe_q = 1'h0;
  always @(posedge clock) outcome_strobe_q <= outcome_strobe_d;
  always_comb begin
    tmp0 = 5'h0;
    admitted_d = admitted_q;
    pending_d = pending_q;
    sequence_d = sequence_q;
    outcome_reg_d = outcome_reg_q;
    outcome_strobe_d = outcome_strobe_q;
    go = ((verdict_valid & beat_valid) & ((~beat[67]) | tail_valid));
    ends = (go & beat[67]);
    take = go;
    take_last = ends;
    normal_reset = reset;
    normal_s_beat = beat;
    normal_fire = go;
    normal_decapsulate = verdict[9];
    normal_front_mac = front_mac;
    bytes = ((({3'h0, normal_number} << 3) + {14'h0, beat[66:64]}) + 17'h1);
    raw_bytes = ((({3'h0, normal_raw} << 3) + {14'h0, beat[66:64]}) + 17'h1);
    stop = ({1'h0, verdict[38:23]} + 17'hd);
    last_beat = stop[16:3];
    last_cnt = stop[2:0];
    short = (bytes < ({1'h0, verdict[38:23]} + 17'he));
    room = (14'h200 - {4'h0, fwd_level});
    admit = admitted_q;
    if (normal_first) begin
      admit = ((last_beat <= room) & (fwd_route_level < 6'h1e));
    end
    if (go) begin
      admitted_d = admit;
    end
    fwd_route_write = 1'h0;
    fwd_write = 1'h0;
    fwd[63:0] = normal_data;
    fwd[66:64] = 3'h7;
    fwd[67] = 1'h0;
    fwd[68] = 1'h0;
    if (((go & verdict[1]) & admit)) begin
      fwd_route_write = normal_first;
      if ((normal_emit & (normal_number != 14'h0))) begin
        fwd_write = ((normal_number < last_beat) | beat[67]);
      end
      if (beat[67]) begin
        fwd[67] = 1'h1;
        fwd[68] = (beat[68] | short);
        fwd[66:64] = last_cnt;
        if (short) begin
          fwd[66:64] = beat[66:64];
        end
        if ((normal_number > last_beat)) begin
          fwd[63:0] = pending_q;
        end
      end
    end
    if ((go & (normal_number == last_beat))) begin
      pending_d = normal_data;
    end
    fwd_beat = fwd;
    route[47:0] = verdict[232:185];
    route[79:48] = verdict[120:89];
    route[95:80] = verdict[136:121];
    route[127:96] = verdict[168:137];
    route[143:128] = verdict[184:169];
    route[144] = verdict[88];
    fwd_route = route;
    host[63:0] = normal_data;
    host[66:64] = beat[66:64];
    host[67] = beat[67];
    host[68] = 1'h0;
    out_beat = host;
    host_write = ((go & verdict[2]) & normal_emit);
    host_end = (ends & verdict[2]);
    control_write = (go & verdict[3]);
    control_end = (ends & verdict[3]);
    over = ((verdict[2] & host_overflow) | (verdict[3] & control_overflow));
    kept = ((~beat[68]) & (~over));
    keep = kept;
    if (((ends & (verdict[2] | verdict[3])) & kept)) begin
      sequence_d = (sequence_q + 32'h1);
    end
    l3 = verdict[12:10];
    l4 = 2'h0;
    if (verdict[13]) begin
      if (short) begin
        l3 = 3'h5;
      end else begin
        if ((~verdict[14])) begin
          l4 = 2'h2;
          if (l4_ok) begin
            l4 = 2'h1;
          end
        end
      end
    end
    if ((verdict[3] & (verdict[22:15] != 8'h0))) begin
      if ((raw_bytes < ({9'h0, verdict[22:15]} + 17'he))) begin
        l3 = 3'h3;
      end else begin
        if (cover_ok) begin
          l3 = 3'h1;
        end else begin
          l3 = 3'h2;
        end
      end
    end
    flags = (({27'h0, verdict[8:4]} | ({29'h0, l3} << 8)) | ({30'h0, l4} << 12));
    if (verdict[39]) begin
      flags = (flags | (32'h1 << 16));
    end
    if (verdict[9]) begin
      flags = (flags | (32'h1 << 17));
    end
    if (back) begin
      flags = (flags | (32'h1 << 18));
    end
    word0 = ({16'h0, bytes[15:0]} | ({16'h0, verdict[55:40]} << 16));
    out_meta = (((({96'h0, flags} << 96) | ({96'h0, verdict[87:56]} << 64)) | ({96'h0, sequence_q} << 32)) | {96'h0, word0});
    tmp0 = verdict[8:4];
    code = tmp0[3:0];
    if (verdict[1]) begin
      code = 4'h0;
      if ((~admit)) begin
        code = 4'hb;
      end else begin
        if (beat[68]) begin
          code = 4'hd;
        end else begin
          if (short) begin
            code = 4'he;
          end
        end
      end
    end else begin
      if ((~verdict[0])) begin
        code = 4'h1;
        if (verdict[3]) begin
          code = 4'h2;
        end
        if (beat[68]) begin
          code = 4'hd;
        end else begin
          if (over) begin
            code = 4'hc;
          end
        end
      end
    end
    outcome_reg_d = code;
    outcome_strobe_d = ends;
    outcome = outcome_reg_q;
    outcome_valid = outcome_strobe_q;
    if (reset) begin
      sequence_d = 32'h0;
      outcome_strobe_d = 1'h0;
    end
  end
endmodule

module ipos_card_front_fwd_ram (
  input  logic [8:0] read_address,
  input  logic read_clock,
  output logic [68:0] read_data,
  input  logic [8:0] write_address,
  input  logic write_clock,
  input  logic [68:0] write_data,
  input  logic write_enable
);
reg[68:0] mem[511:0];



always @(posedge read_clock) begin
   read_data <= mem[read_address];
end

always @(posedge write_clock) begin
   if (write_enable) begin
      mem[write_address] <= write_data;
   end
end
            
endmodule

module ipos_card_front_fwd (
  input  logic clock,
  input  logic reset,
  input  logic [68:0] data_in,
  input  logic write,
  output logic [68:0] data_out,
  output logic valid,
  input  logic read,
  output logic [9:0] level
);
  logic [9:0] rd_next;
  logic [8:0] ram_read_address;
  logic [68:0] ram_read_data;
  logic [8:0] ram_write_address;
  logic [68:0] ram_write_data;
  logic ram_write_enable;
  logic [9:0] wr_d;
  logic [9:0] wr_q;
  logic [9:0] rd_d;
  logic [9:0] rd_q;
  logic full_word_d;
  logic full_word_q;
  ipos_card_front_fwd_ram ram (
    .read_address(ram_read_address),
    .read_clock(clock),
    .read_data(ram_read_data),
    .write_address(ram_write_address),
    .write_clock(clock),
    .write_data(ram_write_data),
    .write_enable(ram_write_enable)
  );
  initial wr_q = 10'h0;
  always @(posedge clock) wr_q <= wr_d;
  initial rd_q = 10'h0;
  always @(posedge clock) rd_q <= rd_d;
  initial full_word_q = 1'h0;
  always @(posedge clock) full_word_q <= full_word_d;
  always_comb begin
    wr_d = wr_q;
    rd_d = rd_q;
    full_word_d = full_word_q;
    rd_next = rd_q;
    if (read) begin
      rd_next = (rd_q + 10'h1);
    end
    rd_d = rd_next;
    if (write) begin
      wr_d = (wr_q + 10'h1);
    end
    ram_write_address = wr_q[8:0];
    ram_write_data = data_in;
    ram_write_enable = write;
    ram_read_address = rd_next[8:0];
    full_word_d = (rd_next != wr_q);
    data_out = ram_read_data;
    valid = full_word_q;
    level = (wr_q - rd_q);
    if (reset) begin
      wr_d = 10'h0;
      rd_d = 10'h0;
      full_word_d = 1'h0;
    end
  end
endmodule

module ipos_card_front_routes_ram (
  input  logic [4:0] read_address,
  input  logic read_clock,
  output logic [144:0] read_data,
  input  logic [4:0] write_address,
  input  logic write_clock,
  input  logic [144:0] write_data,
  input  logic write_enable
);
reg[144:0] mem[31:0];



always @(posedge read_clock) begin
   read_data <= mem[read_address];
end

always @(posedge write_clock) begin
   if (write_enable) begin
      mem[write_address] <= write_data;
   end
end
            
endmodule

module ipos_card_front_routes (
  input  logic clock,
  input  logic reset,
  input  logic [144:0] data_in,
  input  logic write,
  output logic [144:0] data_out,
  output logic valid,
  input  logic read,
  output logic [5:0] level
);
  logic [5:0] rd_next;
  logic [4:0] ram_read_address;
  logic [144:0] ram_read_data;
  logic [4:0] ram_write_address;
  logic [144:0] ram_write_data;
  logic ram_write_enable;
  logic [5:0] wr_d;
  logic [5:0] wr_q;
  logic [5:0] rd_d;
  logic [5:0] rd_q;
  logic full_word_d;
  logic full_word_q;
  ipos_card_front_routes_ram ram (
    .read_address(ram_read_address),
    .read_clock(clock),
    .read_data(ram_read_data),
    .write_address(ram_write_address),
    .write_clock(clock),
    .write_data(ram_write_data),
    .write_enable(ram_write_enable)
  );
  initial wr_q = 6'h0;
  always @(posedge clock) wr_q <= wr_d;
  initial rd_q = 6'h0;
  always @(posedge clock) rd_q <= rd_d;
  initial full_word_q = 1'h0;
  always @(posedge clock) full_word_q <= full_word_d;
  always_comb begin
    wr_d = wr_q;
    rd_d = rd_q;
    full_word_d = full_word_q;
    rd_next = rd_q;
    if (read) begin
      rd_next = (rd_q + 6'h1);
    end
    rd_d = rd_next;
    if (write) begin
      wr_d = (wr_q + 6'h1);
    end
    ram_write_address = wr_q[4:0];
    ram_write_data = data_in;
    ram_write_enable = write;
    ram_read_address = rd_next[4:0];
    full_word_d = (rd_next != wr_q);
    data_out = ram_read_data;
    valid = full_word_q;
    level = (wr_q - rd_q);
    if (reset) begin
      wr_d = 6'h0;
      rd_d = 6'h0;
      full_word_d = 1'h0;
    end
  end
endmodule

module ipos_card_fwd_arbiter (
  input  logic clock,
  input  logic reset,
  input  logic [68:0] a_beat,
  input  logic [144:0] a_meta,
  input  logic a_valid,
  output logic a_ready,
  input  logic [68:0] b_beat,
  input  logic [144:0] b_meta,
  input  logic b_valid,
  output logic b_ready,
  output logic [68:0] m_beat,
  output logic [144:0] m_meta,
  output logic m_valid,
  input  logic m_ready
);
  logic pick;
  logic go;
  logic [68:0] taken;
  logic take;
  logic [68:0] beat_d;
  logic [68:0] beat_q;
  logic [144:0] meta_d;
  logic [144:0] meta_q;
  logic full_d;
  logic full_q;
  logic busy_d;
  logic busy_q;
  logic owner_d;
  logic owner_q;
  initial beat_q = 69'h0;
  always @(posedge clock) beat_q <= beat_d;
  initial meta_q = 145'h0;
  always @(posedge clock) meta_q <= meta_d;
  initial full_q = 1'h0;
  always @(posedge clock) full_q <= full_d;
  initial busy_q = 1'h0;
  always @(posedge clock) busy_q <= busy_d;
  initial owner_q = 1'h0;
  always @(posedge clock) owner_q <= owner_d;
  always_comb begin
    beat_d = beat_q;
    meta_d = meta_q;
    full_d = full_q;
    busy_d = busy_q;
    owner_d = owner_q;
    m_beat = beat_q;
    m_meta = meta_q;
    m_valid = full_q;
    go = (m_ready | (~full_q));
    pick = owner_q;
    if ((~busy_q)) begin
      pick = (b_valid & ((~a_valid) | (~owner_q)));
    end
    a_ready = (go & (~pick));
    b_ready = (go & pick);
    taken = a_beat;
    take = (go & a_valid);
    meta_d = meta_q;
    if (pick) begin
      taken = b_beat;
      take = (go & b_valid);
    end
    if (go) begin
      full_d = take;
    end
    if (take) begin
      beat_d = taken;
      meta_d = a_meta;
      if (pick) begin
        meta_d = b_meta;
      end
      owner_d = pick;
      busy_d = (~taken[67]);
    end
    if (reset) begin
      full_d = 1'h0;
      busy_d = 1'h0;
    end
  end
endmodule

module ipos_card_encap (
  input  logic clock,
  input  logic reset,
  input  logic [47:0] mac,
  input  logic [15:0] ethertype,
  input  logic [68:0] s_beat,
  input  logic [144:0] s_route,
  input  logic s_valid,
  output logic s_ready,
  output logic [68:0] m_beat,
  output logic m_valid,
  input  logic m_ready
);
  logic go;
  logic [63:0] head;
  logic [15:0] protocol;
  logic [17:0] w_src_hi;
  logic [17:0] w_src_lo;
  logic [17:0] w_sport;
  logic [17:0] w_dst_hi;
  logic [17:0] w_dst_lo;
  logic [17:0] w_dport;
  logic [17:0] w_type;
  logic [16:0] once;
  logic [16:0] twice;
  logic [68:0] o;
  logic [31:0] tmp0;
  logic [31:0] tmp1;
  logic [31:0] tmp2;
  logic [31:0] tmp3;
  logic [31:0] tmp4;
  logic [31:0] tmp5;
  logic [63:0] rev_i;
  logic [63:0] rev_o;
  logic [2:0] state_d;
  logic [2:0] state_q;
  logic [68:0] out_d;
  logic [68:0] out_q;
  logic full_d;
  logic full_q;
  logic [17:0] sum_a_d;
  logic [17:0] sum_a_q;
  logic [17:0] sum_b_d;
  logic [17:0] sum_b_q;
  logic [18:0] sum_d;
  logic [18:0] sum_q;
  logic [15:0] check_d;
  logic [15:0] check_q;
  ipos_card_front_rx_rev rev (
    .i(rev_i),
    .o(rev_o)
  );
  initial state_q = 3'h0;
  always @(posedge clock) state_q <= state_d;
  initial out_q = 69'h0;
  always @(posedge clock) out_q <= out_d;
  initial full_q = 1'h0;
  always @(posedge clock) full_q <= full_d;
  initial sum_a_q = 18'h0;
  always @(posedge clock) sum_a_q <= sum_a_d;
  initial sum_b_q = 18'h0;
  always @(posedge clock) sum_b_q <= sum_b_d;
  initial sum_q = 19'h0;
  always @(posedge clock) sum_q <= sum_d;
  initial check_q = 16'h0;
  always @(posedge clock) check_q <= check_d;
  always_comb begin
    tmp0 = 32'h0;
    tmp1 = 32'h0;
    tmp2 = 32'h0;
    tmp3 = 32'h0;
    tmp4 = 32'h0;
    tmp5 = 32'h0;
    state_d = state_q;
    out_d = out_q;
    full_d = full_q;
    sum_a_d = sum_a_q;
    sum_b_d = sum_b_q;
    sum_d = sum_q;
    check_d = check_q;
    protocol = 16'h201;
    if (s_route[144]) begin
      protocol = 16'h202;
    end
    tmp0 = s_route[79:48];
    w_src_hi = {2'h0, tmp0[31:16]};
    tmp1 = s_route[79:48];
    w_src_lo = {2'h0, tmp1[15:0]};
    w_sport = {2'h0, s_route[95:80]};
    tmp2 = s_route[127:96];
    w_dst_hi = {2'h0, tmp2[31:16]};
    tmp3 = s_route[127:96];
    w_dst_lo = {2'h0, tmp3[15:0]};
    w_dport = {2'h0, s_route[143:128]};
    w_type = {2'h0, protocol};
    sum_a_d = ((w_src_hi + w_src_lo) + (w_sport + w_dst_hi));
    sum_b_d = ((w_dst_lo + w_dport) + w_type);
    sum_d = ({1'h0, sum_a_q} + {1'h0, sum_b_q});
    once = ({1'h0, sum_q[15:0]} + {14'h0, sum_q[18:16]});
    twice = ((once & 17'hffff) + (once >> 16));
    check_d = (~twice[15:0]);
    go = (m_ready | (~full_q));
    s_ready = (go & (state_q >= 3'h3));
    case (state_q)
      3'h0: begin
        head = (({16'h0, s_route[47:0]} << 16) | {48'h0, mac[47:32]});
      end
      3'h1: begin
        tmp4 = s_route[79:48];
        head = ((({32'h0, mac[31:0]} << 32) | ({48'h0, ethertype} << 16)) | {48'h0, tmp4[31:16]});
      end
      3'h2: begin
        tmp5 = s_route[79:48];
        head = ((({48'h0, tmp5[15:0]} << 48) | ({48'h0, s_route[95:80]} << 32)) | {32'h0, s_route[127:96]});
      end
      default: begin
        head = ((({48'h0, s_route[143:128]} << 48) | ({48'h0, protocol} << 32)) | ({48'h0, check_q} << 16));
      end
    endcase
    rev_i = head;
    o = s_beat;
    if ((state_q < 3'h3)) begin
      o[63:0] = rev_o;
      o[66:64] = 3'h7;
      o[67] = 1'h0;
      o[68] = 1'h0;
    end else begin
      if ((state_q == 3'h3)) begin
        o[63:0] = (rev_o | (s_beat[63:0] & 64'hffff000000000000));
      end
    end
    if (go) begin
      full_d = s_valid;
      if (s_valid) begin
        out_d = o;
        if ((state_q < 3'h4)) begin
          state_d = (state_q + 3'h1);
        end
        if (((state_q >= 3'h3) & s_beat[67])) begin
          state_d = 3'h0;
        end
      end
    end
    m_beat = out_q;
    m_valid = full_q;
    if (reset) begin
      state_d = 3'h0;
      full_d = 1'h0;
    end
  end
endmodule

module ipos_card_front_host_ram (
  input  logic [9:0] read_address,
  input  logic read_clock,
  output logic [68:0] read_data,
  input  logic [9:0] write_address,
  input  logic write_clock,
  input  logic [68:0] write_data,
  input  logic write_enable
);
reg[68:0] mem[1023:0];



always @(posedge read_clock) begin
   read_data <= mem[read_address];
end

always @(posedge write_clock) begin
   if (write_enable) begin
      mem[write_address] <= write_data;
   end
end
            
endmodule

module ipos_card_front_host_metas_ram (
  input  logic [4:0] read_address,
  input  logic read_clock,
  output logic [127:0] read_data,
  input  logic [4:0] write_address,
  input  logic write_clock,
  input  logic [127:0] write_data,
  input  logic write_enable
);
reg[127:0] mem[31:0];



always @(posedge read_clock) begin
   read_data <= mem[read_address];
end

always @(posedge write_clock) begin
   if (write_enable) begin
      mem[write_address] <= write_data;
   end
end
            
endmodule

module ipos_card_front_host_metas (
  input  logic clock,
  input  logic reset,
  input  logic [127:0] data_in,
  input  logic write,
  output logic [127:0] data_out,
  output logic valid,
  input  logic read,
  output logic [5:0] level
);
  logic [5:0] rd_next;
  logic [4:0] ram_read_address;
  logic [127:0] ram_read_data;
  logic [4:0] ram_write_address;
  logic [127:0] ram_write_data;
  logic ram_write_enable;
  logic [5:0] wr_d;
  logic [5:0] wr_q;
  logic [5:0] rd_d;
  logic [5:0] rd_q;
  logic full_word_d;
  logic full_word_q;
  ipos_card_front_host_metas_ram ram (
    .read_address(ram_read_address),
    .read_clock(clock),
    .read_data(ram_read_data),
    .write_address(ram_write_address),
    .write_clock(clock),
    .write_data(ram_write_data),
    .write_enable(ram_write_enable)
  );
  initial wr_q = 6'h0;
  always @(posedge clock) wr_q <= wr_d;
  initial rd_q = 6'h0;
  always @(posedge clock) rd_q <= rd_d;
  initial full_word_q = 1'h0;
  always @(posedge clock) full_word_q <= full_word_d;
  always_comb begin
    wr_d = wr_q;
    rd_d = rd_q;
    full_word_d = full_word_q;
    rd_next = rd_q;
    if (read) begin
      rd_next = (rd_q + 6'h1);
    end
    rd_d = rd_next;
    if (write) begin
      wr_d = (wr_q + 6'h1);
    end
    ram_write_address = wr_q[4:0];
    ram_write_data = data_in;
    ram_write_enable = write;
    ram_read_address = rd_next[4:0];
    full_word_d = (rd_next != wr_q);
    data_out = ram_read_data;
    valid = full_word_q;
    level = (wr_q - rd_q);
    if (reset) begin
      wr_d = 6'h0;
      rd_d = 6'h0;
      full_word_d = 1'h0;
    end
  end
endmodule

module ipos_card_front_host (
  input  logic clock,
  input  logic reset,
  input  logic [68:0] beat_in,
  input  logic write,
  input  logic finish,
  input  logic keep,
  input  logic [127:0] meta_in,
  output logic overflow,
  output logic room,
  output logic [68:0] m_beat,
  output logic [127:0] m_meta,
  output logic m_valid,
  input  logic m_ready
);
  logic [10:0] rd_next;
  logic [10:0] wr_next;
  logic [10:0] used;
  logic fits;
  logic over;
  logic pop;
  logic [9:0] ram_read_address;
  logic [68:0] ram_read_data;
  logic [9:0] ram_write_address;
  logic [68:0] ram_write_data;
  logic ram_write_enable;
  logic metas_reset;
  logic [127:0] metas_data_in;
  logic metas_write;
  logic [127:0] metas_data_out;
  logic metas_valid;
  logic metas_read;
  logic [5:0] metas_level;
  logic [10:0] wr_d;
  logic [10:0] wr_q;
  logic [10:0] start_d;
  logic [10:0] start_q;
  logic [10:0] rd_d;
  logic [10:0] rd_q;
  logic full_word_d;
  logic full_word_q;
  logic spilt_d;
  logic spilt_q;
  ipos_card_front_host_ram ram (
    .read_address(ram_read_address),
    .read_clock(clock),
    .read_data(ram_read_data),
    .write_address(ram_write_address),
    .write_clock(clock),
    .write_data(ram_write_data),
    .write_enable(ram_write_enable)
  );
  ipos_card_front_host_metas metas (
    .clock(clock),
    .reset(metas_reset),
    .data_in(metas_data_in),
    .write(metas_write),
    .data_out(metas_data_out),
    .valid(metas_valid),
    .read(metas_read),
    .level(metas_level)
  );
  initial wr_q = 11'h0;
  always @(posedge clock) wr_q <= wr_d;
  initial start_q = 11'h0;
  always @(posedge clock) start_q <= start_d;
  initial rd_q = 11'h0;
  always @(posedge clock) rd_q <= rd_d;
  initial full_word_q = 1'h0;
  always @(posedge clock) full_word_q <= full_word_d;
  initial spilt_q = 1'h0;
  always @(posedge clock) spilt_q <= spilt_d;
  always_comb begin
    wr_d = wr_q;
    start_d = start_q;
    rd_d = rd_q;
    full_word_d = full_word_q;
    spilt_d = spilt_q;
    metas_reset = reset;
    used = (wr_q - rd_q);
    fits = ((used != 11'h400) & (metas_level < 6'h1f));
    over = (spilt_q | (write & (~fits)));
    overflow = over;
    room = fits;
    wr_next = wr_q;
    if ((write & (~over))) begin
      wr_next = (wr_q + 11'h1);
    end
    wr_d = wr_next;
    spilt_d = over;
    ram_write_address = wr_q[9:0];
    ram_write_data = beat_in;
    ram_write_enable = (write & (~over));
    metas_data_in = meta_in;
    metas_write = (finish & keep);
    if (finish) begin
      spilt_d = 1'h0;
      if (keep) begin
        start_d = wr_next;
      end else begin
        wr_d = start_q;
      end
    end
    pop = ((full_word_q & metas_valid) & m_ready);
    m_valid = (full_word_q & metas_valid);
    m_beat = ram_read_data;
    m_meta = metas_data_out;
    metas_read = (pop & ram_read_data[67]);
    rd_next = rd_q;
    if (pop) begin
      rd_next = (rd_q + 11'h1);
    end
    rd_d = rd_next;
    ram_read_address = rd_next[9:0];
    full_word_d = (rd_next != start_q);
    if (reset) begin
      wr_d = 11'h0;
      start_d = 11'h0;
      rd_d = 11'h0;
      full_word_d = 1'h0;
      spilt_d = 1'h0;
    end
  end
endmodule

module ipos_card_back_control (
  input  logic clock,
  input  logic reset,
  input  logic [68:0] beat_in,
  input  logic write,
  input  logic finish,
  input  logic keep,
  input  logic [127:0] meta_in,
  output logic overflow,
  output logic room,
  output logic [68:0] m_beat,
  output logic [127:0] m_meta,
  output logic m_valid,
  input  logic m_ready
);
  logic [9:0] rd_next;
  logic [9:0] wr_next;
  logic [9:0] used;
  logic fits;
  logic over;
  logic pop;
  logic [8:0] ram_read_address;
  logic [68:0] ram_read_data;
  logic [8:0] ram_write_address;
  logic [68:0] ram_write_data;
  logic ram_write_enable;
  logic metas_reset;
  logic [127:0] metas_data_in;
  logic metas_write;
  logic [127:0] metas_data_out;
  logic metas_valid;
  logic metas_read;
  logic [5:0] metas_level;
  logic [9:0] wr_d;
  logic [9:0] wr_q;
  logic [9:0] start_d;
  logic [9:0] start_q;
  logic [9:0] rd_d;
  logic [9:0] rd_q;
  logic full_word_d;
  logic full_word_q;
  logic spilt_d;
  logic spilt_q;
  ipos_card_front_fwd_ram ram (
    .read_address(ram_read_address),
    .read_clock(clock),
    .read_data(ram_read_data),
    .write_address(ram_write_address),
    .write_clock(clock),
    .write_data(ram_write_data),
    .write_enable(ram_write_enable)
  );
  ipos_card_front_host_metas metas (
    .clock(clock),
    .reset(metas_reset),
    .data_in(metas_data_in),
    .write(metas_write),
    .data_out(metas_data_out),
    .valid(metas_valid),
    .read(metas_read),
    .level(metas_level)
  );
  initial wr_q = 10'h0;
  always @(posedge clock) wr_q <= wr_d;
  initial start_q = 10'h0;
  always @(posedge clock) start_q <= start_d;
  initial rd_q = 10'h0;
  always @(posedge clock) rd_q <= rd_d;
  initial full_word_q = 1'h0;
  always @(posedge clock) full_word_q <= full_word_d;
  initial spilt_q = 1'h0;
  always @(posedge clock) spilt_q <= spilt_d;
  always_comb begin
    wr_d = wr_q;
    start_d = start_q;
    rd_d = rd_q;
    full_word_d = full_word_q;
    spilt_d = spilt_q;
    metas_reset = reset;
    used = (wr_q - rd_q);
    fits = ((used != 10'h200) & (metas_level < 6'h1f));
    over = (spilt_q | (write & (~fits)));
    overflow = over;
    room = fits;
    wr_next = wr_q;
    if ((write & (~over))) begin
      wr_next = (wr_q + 10'h1);
    end
    wr_d = wr_next;
    spilt_d = over;
    ram_write_address = wr_q[8:0];
    ram_write_data = beat_in;
    ram_write_enable = (write & (~over));
    metas_data_in = meta_in;
    metas_write = (finish & keep);
    if (finish) begin
      spilt_d = 1'h0;
      if (keep) begin
        start_d = wr_next;
      end else begin
        wr_d = start_q;
      end
    end
    pop = ((full_word_q & metas_valid) & m_ready);
    m_valid = (full_word_q & metas_valid);
    m_beat = ram_read_data;
    m_meta = metas_data_out;
    metas_read = (pop & ram_read_data[67]);
    rd_next = rd_q;
    if (pop) begin
      rd_next = (rd_q + 10'h1);
    end
    rd_d = rd_next;
    ram_read_address = rd_next[8:0];
    full_word_d = (rd_next != start_q);
    if (reset) begin
      wr_d = 10'h0;
      start_d = 10'h0;
      rd_d = 10'h0;
      full_word_d = 1'h0;
      spilt_d = 1'h0;
    end
  end
endmodule

module ipos_card_host_arbiter (
  input  logic clock,
  input  logic reset,
  input  logic [68:0] a_beat,
  input  logic [127:0] a_meta,
  input  logic a_valid,
  output logic a_ready,
  input  logic [68:0] b_beat,
  input  logic [127:0] b_meta,
  input  logic b_valid,
  output logic b_ready,
  output logic [68:0] m_beat,
  output logic [127:0] m_meta,
  output logic m_valid,
  input  logic m_ready
);
  logic pick;
  logic go;
  logic [68:0] taken;
  logic take;
  logic [68:0] beat_d;
  logic [68:0] beat_q;
  logic [127:0] meta_d;
  logic [127:0] meta_q;
  logic full_d;
  logic full_q;
  logic busy_d;
  logic busy_q;
  logic owner_d;
  logic owner_q;
  initial beat_q = 69'h0;
  always @(posedge clock) beat_q <= beat_d;
  initial meta_q = 128'h0;
  always @(posedge clock) meta_q <= meta_d;
  initial full_q = 1'h0;
  always @(posedge clock) full_q <= full_d;
  initial busy_q = 1'h0;
  always @(posedge clock) busy_q <= busy_d;
  initial owner_q = 1'h0;
  always @(posedge clock) owner_q <= owner_d;
  always_comb begin
    beat_d = beat_q;
    meta_d = meta_q;
    full_d = full_q;
    busy_d = busy_q;
    owner_d = owner_q;
    m_beat = beat_q;
    m_meta = meta_q;
    m_valid = full_q;
    go = (m_ready | (~full_q));
    pick = owner_q;
    if ((~busy_q)) begin
      pick = (b_valid & ((~a_valid) | (~owner_q)));
    end
    a_ready = (go & (~pick));
    b_ready = (go & pick);
    taken = a_beat;
    take = (go & a_valid);
    meta_d = meta_q;
    if (pick) begin
      taken = b_beat;
      take = (go & b_valid);
    end
    if (go) begin
      full_d = take;
    end
    if (take) begin
      beat_d = taken;
      meta_d = a_meta;
      if (pick) begin
        meta_d = b_meta;
      end
      owner_d = pick;
      busy_d = (~taken[67]);
    end
    if (reset) begin
      full_d = 1'h0;
      busy_d = 1'h0;
    end
  end
endmodule

module ipos_card_sends_metas_ram (
  input  logic [4:0] read_address,
  input  logic read_clock,
  output logic read_data,
  input  logic [4:0] write_address,
  input  logic write_clock,
  input  logic write_data,
  input  logic write_enable
);
reg[0:0] mem[31:0];



always @(posedge read_clock) begin
   read_data <= mem[read_address];
end

always @(posedge write_clock) begin
   if (write_enable) begin
      mem[write_address] <= write_data;
   end
end
            
endmodule

module ipos_card_sends_metas (
  input  logic clock,
  input  logic reset,
  input  logic data_in,
  input  logic write,
  output logic data_out,
  output logic valid,
  input  logic read,
  output logic [5:0] level
);
  logic [5:0] rd_next;
  logic [4:0] ram_read_address;
  logic ram_read_data;
  logic [4:0] ram_write_address;
  logic ram_write_data;
  logic ram_write_enable;
  logic [5:0] wr_d;
  logic [5:0] wr_q;
  logic [5:0] rd_d;
  logic [5:0] rd_q;
  logic full_word_d;
  logic full_word_q;
  ipos_card_sends_metas_ram ram (
    .read_address(ram_read_address),
    .read_clock(clock),
    .read_data(ram_read_data),
    .write_address(ram_write_address),
    .write_clock(clock),
    .write_data(ram_write_data),
    .write_enable(ram_write_enable)
  );
  initial wr_q = 6'h0;
  always @(posedge clock) wr_q <= wr_d;
  initial rd_q = 6'h0;
  always @(posedge clock) rd_q <= rd_d;
  initial full_word_q = 1'h0;
  always @(posedge clock) full_word_q <= full_word_d;
  always_comb begin
    wr_d = wr_q;
    rd_d = rd_q;
    full_word_d = full_word_q;
    rd_next = rd_q;
    if (read) begin
      rd_next = (rd_q + 6'h1);
    end
    rd_d = rd_next;
    if (write) begin
      wr_d = (wr_q + 6'h1);
    end
    ram_write_address = wr_q[4:0];
    ram_write_data = data_in;
    ram_write_enable = write;
    ram_read_address = rd_next[4:0];
    full_word_d = (rd_next != wr_q);
    data_out = ram_read_data;
    valid = full_word_q;
    level = (wr_q - rd_q);
    if (reset) begin
      wr_d = 6'h0;
      rd_d = 6'h0;
      full_word_d = 1'h0;
    end
  end
endmodule

module ipos_card_sends (
  input  logic clock,
  input  logic reset,
  input  logic [68:0] beat_in,
  input  logic write,
  input  logic finish,
  input  logic keep,
  input  logic meta_in,
  output logic overflow,
  output logic room,
  output logic [68:0] m_beat,
  output logic m_meta,
  output logic m_valid,
  input  logic m_ready
);
  logic [9:0] rd_next;
  logic [9:0] wr_next;
  logic [9:0] used;
  logic fits;
  logic over;
  logic pop;
  logic [8:0] ram_read_address;
  logic [68:0] ram_read_data;
  logic [8:0] ram_write_address;
  logic [68:0] ram_write_data;
  logic ram_write_enable;
  logic metas_reset;
  logic metas_data_in;
  logic metas_write;
  logic metas_data_out;
  logic metas_valid;
  logic metas_read;
  logic [5:0] metas_level;
  logic [9:0] wr_d;
  logic [9:0] wr_q;
  logic [9:0] start_d;
  logic [9:0] start_q;
  logic [9:0] rd_d;
  logic [9:0] rd_q;
  logic full_word_d;
  logic full_word_q;
  logic spilt_d;
  logic spilt_q;
  ipos_card_front_fwd_ram ram (
    .read_address(ram_read_address),
    .read_clock(clock),
    .read_data(ram_read_data),
    .write_address(ram_write_address),
    .write_clock(clock),
    .write_data(ram_write_data),
    .write_enable(ram_write_enable)
  );
  ipos_card_sends_metas metas (
    .clock(clock),
    .reset(metas_reset),
    .data_in(metas_data_in),
    .write(metas_write),
    .data_out(metas_data_out),
    .valid(metas_valid),
    .read(metas_read),
    .level(metas_level)
  );
  initial wr_q = 10'h0;
  always @(posedge clock) wr_q <= wr_d;
  initial start_q = 10'h0;
  always @(posedge clock) start_q <= start_d;
  initial rd_q = 10'h0;
  always @(posedge clock) rd_q <= rd_d;
  initial full_word_q = 1'h0;
  always @(posedge clock) full_word_q <= full_word_d;
  initial spilt_q = 1'h0;
  always @(posedge clock) spilt_q <= spilt_d;
  always_comb begin
    wr_d = wr_q;
    start_d = start_q;
    rd_d = rd_q;
    full_word_d = full_word_q;
    spilt_d = spilt_q;
    metas_reset = reset;
    used = (wr_q - rd_q);
    fits = ((used != 10'h200) & (metas_level < 6'h1f));
    over = (spilt_q | (write & (~fits)));
    overflow = over;
    room = fits;
    wr_next = wr_q;
    if ((write & (~over))) begin
      wr_next = (wr_q + 10'h1);
    end
    wr_d = wr_next;
    spilt_d = over;
    ram_write_address = wr_q[8:0];
    ram_write_data = beat_in;
    ram_write_enable = (write & (~over));
    metas_data_in = meta_in;
    metas_write = (finish & keep);
    if (finish) begin
      spilt_d = 1'h0;
      if (keep) begin
        start_d = wr_next;
      end else begin
        wr_d = start_q;
      end
    end
    pop = ((full_word_q & metas_valid) & m_ready);
    m_valid = (full_word_q & metas_valid);
    m_beat = ram_read_data;
    m_meta = metas_data_out;
    metas_read = (pop & ram_read_data[67]);
    rd_next = rd_q;
    if (pop) begin
      rd_next = (rd_q + 10'h1);
    end
    rd_d = rd_next;
    ram_read_address = rd_next[8:0];
    full_word_d = (rd_next != start_q);
    if (reset) begin
      wr_d = 10'h0;
      start_d = 10'h0;
      rd_d = 10'h0;
      full_word_d = 1'h0;
      spilt_d = 1'h0;
    end
  end
endmodule

module ipos_card_back_arbiter (
  input  logic clock,
  input  logic reset,
  input  logic [68:0] a_beat,
  input  logic a_meta,
  input  logic a_valid,
  output logic a_ready,
  input  logic [68:0] b_beat,
  input  logic b_meta,
  input  logic b_valid,
  output logic b_ready,
  output logic [68:0] m_beat,
  output logic m_meta,
  output logic m_valid,
  input  logic m_ready
);
  logic pick;
  logic go;
  logic [68:0] taken;
  logic take;
  logic [68:0] beat_d;
  logic [68:0] beat_q;
  logic meta_d;
  logic meta_q;
  logic full_d;
  logic full_q;
  logic busy_d;
  logic busy_q;
  logic owner_d;
  logic owner_q;
  initial beat_q = 69'h0;
  always @(posedge clock) beat_q <= beat_d;
  initial meta_q = 1'h0;
  always @(posedge clock) meta_q <= meta_d;
  initial full_q = 1'h0;
  always @(posedge clock) full_q <= full_d;
  initial busy_q = 1'h0;
  always @(posedge clock) busy_q <= busy_d;
  initial owner_q = 1'h0;
  always @(posedge clock) owner_q <= owner_d;
  always_comb begin
    beat_d = beat_q;
    meta_d = meta_q;
    full_d = full_q;
    busy_d = busy_q;
    owner_d = owner_q;
    m_beat = beat_q;
    m_meta = meta_q;
    m_valid = full_q;
    go = (m_ready | (~full_q));
    pick = owner_q;
    if ((~busy_q)) begin
      pick = (b_valid & ((~a_valid) | (~owner_q)));
    end
    a_ready = (go & (~pick));
    b_ready = (go & pick);
    taken = a_beat;
    take = (go & a_valid);
    meta_d = meta_q;
    if (pick) begin
      taken = b_beat;
      take = (go & b_valid);
    end
    if (go) begin
      full_d = take;
    end
    if (take) begin
      beat_d = taken;
      meta_d = a_meta;
      if (pick) begin
        meta_d = b_meta;
      end
      owner_d = pick;
      busy_d = (~taken[67]);
    end
    if (reset) begin
      full_d = 1'h0;
      busy_d = 1'h0;
    end
  end
endmodule

module ipos_card_front_out (
  input  logic [68:0] beat,
  output logic [63:0] tdata,
  output logic [7:0] tkeep,
  output logic tlast,
  output logic tuser
);
  logic [2:0] gap;
  always_comb begin
    gap = (~beat[66:64]);
    tdata = beat[63:0];
    tkeep = (8'hff >> gap);
    tlast = beat[67];
    tuser = beat[68];
  end
endmodule

module ipos_card_front_outcomes_ram (
  input  logic [3:0] read_address,
  input  logic read_clock,
  output logic [63:0] read_data,
  input  logic [3:0] write_address,
  input  logic write_clock,
  input  logic [63:0] write_data,
  input  logic write_enable
);
reg[63:0] mem[15:0];



always @(posedge read_clock) begin
   read_data <= mem[read_address];
end

always @(posedge write_clock) begin
   if (write_enable) begin
      mem[write_address] <= write_data;
   end
end
            
endmodule

module ipos_card_front_outcomes (
  input  logic clock,
  input  logic reset,
  input  logic strobe,
  input  logic [3:0] code,
  input  logic read,
  input  logic [3:0] read_code,
  output logic [63:0] value,
  output logic ack
);
  logic [63:0] current;
  logic [63:0] next_value;
  logic [3:0] ram_read_address;
  logic [63:0] ram_read_data;
  logic [3:0] ram_write_address;
  logic [63:0] ram_write_data;
  logic ram_write_enable;
  logic [4:0] sweep_d;
  logic [4:0] sweep_q;
  logic busy_d;
  logic busy_q;
  logic reading_d;
  logic reading_q;
  logic [3:0] code1_d;
  logic [3:0] code1_q;
  logic [63:0] written_d;
  logic [63:0] written_q;
  logic [3:0] written_code_d;
  logic [3:0] written_code_q;
  logic written_valid_d;
  logic written_valid_q;
  logic [63:0] result_d;
  logic [63:0] result_q;
  logic done_d;
  logic done_q;
  ipos_card_front_outcomes_ram ram (
    .read_address(ram_read_address),
    .read_clock(clock),
    .read_data(ram_read_data),
    .write_address(ram_write_address),
    .write_clock(clock),
    .write_data(ram_write_data),
    .write_enable(ram_write_enable)
  );
  initial sweep_q = 5'h0;
  always @(posedge clock) sweep_q <= sweep_d;
  initial busy_q = 1'h0;
  always @(posedge clock) busy_q <= busy_d;
  initial reading_q = 1'h0;
  always @(posedge clock) reading_q <= reading_d;
  initial code1_q = 4'h0;
  always @(posedge clock) code1_q <= code1_d;
  initial written_q = 64'h0;
  always @(posedge clock) written_q <= written_d;
  initial written_code_q = 4'h0;
  always @(posedge clock) written_code_q <= written_code_d;
  initial written_valid_q = 1'h0;
  always @(posedge clock) written_valid_q <= written_valid_d;
  initial result_q = 64'h0;
  always @(posedge clock) result_q <= result_d;
  initial done_q = 1'h0;
  always @(posedge clock) done_q <= done_d;
  always_comb begin
    sweep_d = sweep_q;
    busy_d = busy_q;
    reading_d = reading_q;
    code1_d = code1_q;
    written_d = written_q;
    written_code_d = written_code_q;
    written_valid_d = written_valid_q;
    result_d = result_q;
    done_d = done_q;
    ram_read_address = read_code;
    code1_d = read_code;
    if (strobe) begin
      ram_read_address = code;
      code1_d = code;
    end
    busy_d = strobe;
    reading_d = (((read & (~strobe)) & (~reading_q)) & (~done_q));
    current = ram_read_data;
    if ((written_valid_q & (written_code_q == code1_q))) begin
      current = written_q;
    end
    next_value = (current + 64'h1);
    ram_write_address = code1_q;
    ram_write_data = next_value;
    ram_write_enable = busy_q;
    written_d = next_value;
    written_code_d = code1_q;
    written_valid_d = busy_q;
    result_d = current;
    done_d = reading_q;
    value = result_q;
    ack = done_q;
    if ((~sweep_q[4])) begin
      sweep_d = (sweep_q + 5'h1);
      ram_write_address = sweep_q[3:0];
      ram_write_data = 64'h0;
      ram_write_enable = 1'h1;
      written_valid_d = 1'h0;
    end
    if (reset) begin
      sweep_d = 5'h0;
      busy_d = 1'h0;
      reading_d = 1'h0;
      done_d = 1'h0;
      written_valid_d = 1'h0;
    end
  end
endmodule

module ipos_card_front_rx_count (
  input  logic clock,
  input  logic reset,
  input  logic strobe,
  output logic [63:0] value
);
  logic [31:0] low_d;
  logic [31:0] low_q;
  logic [31:0] high_d;
  logic [31:0] high_q;
  initial low_q = 32'h0;
  always @(posedge clock) low_q <= low_d;
  initial high_q = 32'h0;
  always @(posedge clock) high_q <= high_d;
  always_comb begin
    low_d = low_q;
    high_d = high_q;
    if (strobe) begin
      low_d = (low_q + 32'h1);
      if ((&low_q)) begin
        high_d = (high_q + 32'h1);
      end
    end
    value = (({32'h0, high_q} << 32) | {32'h0, low_q});
    if (reset) begin
      low_d = 32'h0;
      high_d = 32'h0;
    end
  end
endmodule

module ipos_card (
  input  logic clock,
  input  logic reset,
  input  logic [31:0] build,
  input  logic [63:0] front_rx_tdata,
  input  logic [7:0] front_rx_tkeep,
  input  logic front_rx_tlast,
  input  logic front_rx_tuser,
  input  logic front_rx_tvalid,
  output logic front_rx_tready,
  input  logic [63:0] back_rx_tdata,
  input  logic [7:0] back_rx_tkeep,
  input  logic back_rx_tlast,
  input  logic back_rx_tuser,
  input  logic back_rx_tvalid,
  output logic back_rx_tready,
  output logic [63:0] front_tx_tdata,
  output logic [7:0] front_tx_tkeep,
  output logic front_tx_tlast,
  output logic front_tx_tuser,
  output logic front_tx_tvalid,
  input  logic front_tx_tready,
  output logic [63:0] back_tx_tdata,
  output logic [7:0] back_tx_tkeep,
  output logic back_tx_tlast,
  output logic back_tx_tuser,
  output logic back_tx_tvalid,
  input  logic back_tx_tready,
  output logic [63:0] host_tdata,
  output logic [7:0] host_tkeep,
  output logic host_tlast,
  output logic [127:0] host_meta,
  output logic host_tvalid,
  input  logic host_tready,
  output logic [63:0] control_tdata,
  output logic [7:0] control_tkeep,
  output logic control_tlast,
  output logic [127:0] control_meta,
  output logic control_tvalid,
  input  logic control_tready,
  input  logic [63:0] in_tdata,
  input  logic [7:0] in_tkeep,
  input  logic in_tlast,
  input  logic in_port,
  input  logic in_tvalid,
  output logic in_tready,
  input  logic [15:0] reg_address,
  input  logic [31:0] reg_wdata,
  input  logic reg_write,
  input  logic reg_read,
  output logic [31:0] reg_rdata,
  output logic reg_ack
);
  logic front_fwd_ready;
  logic back_fwd_ready;
  logic front_fwd_take;
  logic back_fwd_take;
  logic in_take;
  logic in_back;
  logic in_meta;
  logic registers_reset;
  logic [15:0] registers_address;
  logic [31:0] registers_wdata;
  logic registers_write;
  logic registers_read;
  logic [31:0] registers_rdata;
  logic registers_ack;
  logic [31:0] registers_build;
  logic [15:0] registers_ethertype;
  logic [47:0] registers_front_mac;
  logic registers_front_promiscuous;
  logic [31:0] registers_front_vlan;
  logic [47:0] registers_back_mac;
  logic registers_back_promiscuous;
  logic [31:0] registers_back_vlan;
  logic [96:0] registers_key;
  logic [31:0] registers_value;
  logic [11:0] registers_slot;
  logic [1:0] registers_bank;
  logic registers_entry_valid;
  logic registers_commit_forward;
  logic registers_commit_endpoint;
  logic registers_committed;
  logic [51:0] registers_dest;
  logic registers_commit_dest;
  logic [48:0] registers_neighbour;
  logic registers_commit_neighbour;
  logic [7:0] registers_index;
  logic [3:0] registers_outcome_code;
  logic registers_front_read;
  logic registers_front_ack;
  logic [63:0] registers_front_value;
  logic registers_back_read;
  logic registers_back_ack;
  logic [63:0] registers_back_value;
  logic [63:0] registers_front_rx;
  logic [63:0] registers_front_tx;
  logic [63:0] registers_back_rx;
  logic [63:0] registers_back_tx;
  logic [63:0] front_in_tdata;
  logic [7:0] front_in_tkeep;
  logic front_in_tlast;
  logic front_in_tuser;
  logic [68:0] front_in_beat;
  logic [63:0] back_in_tdata;
  logic [7:0] back_in_tkeep;
  logic back_in_tlast;
  logic back_in_tuser;
  logic [68:0] back_in_beat;
  logic [63:0] host_in_tdata;
  logic [7:0] host_in_tkeep;
  logic host_in_tlast;
  logic host_in_tuser;
  logic [68:0] host_in_beat;
  logic front_rx_reset;
  logic [68:0] front_rx_s_beat;
  logic front_rx_s_valid;
  logic front_rx_s_ready;
  logic [47:0] front_rx_mac;
  logic front_rx_promiscuous;
  logic [15:0] front_rx_ethertype;
  logic front_rx_back;
  logic [209:0] front_rx_meta;
  logic front_rx_ip_ok;
  logic front_rx_ipos_ok;
  logic front_rx_head_valid;
  logic front_rx_head_read;
  logic front_rx_l4_ok;
  logic front_rx_cover_ok;
  logic front_rx_tail_valid;
  logic front_rx_tail_read;
  logic [68:0] front_rx_beat;
  logic front_rx_beat_valid;
  logic front_rx_beat_read;
  logic back_rx_reset;
  logic [68:0] back_rx_s_beat;
  logic back_rx_s_valid;
  logic back_rx_s_ready;
  logic [47:0] back_rx_mac;
  logic back_rx_promiscuous;
  logic [15:0] back_rx_ethertype;
  logic back_rx_back;
  logic [209:0] back_rx_meta;
  logic back_rx_ip_ok;
  logic back_rx_ipos_ok;
  logic back_rx_head_valid;
  logic back_rx_head_read;
  logic back_rx_l4_ok;
  logic back_rx_cover_ok;
  logic back_rx_tail_valid;
  logic back_rx_tail_read;
  logic [68:0] back_rx_beat;
  logic back_rx_beat_valid;
  logic back_rx_beat_read;
  logic classify_reset;
  logic [209:0] classify_front_meta;
  logic classify_front_ip_ok;
  logic classify_front_valid;
  logic classify_front_read;
  logic [209:0] classify_back_meta;
  logic classify_back_ip_ok;
  logic classify_back_ipos_ok;
  logic classify_back_valid;
  logic classify_back_read;
  logic [232:0] classify_verdict;
  logic classify_front_write;
  logic classify_back_write;
  logic [4:0] classify_front_level;
  logic [4:0] classify_back_level;
  logic [31:0] classify_front_vlan;
  logic [31:0] classify_back_vlan;
  logic [96:0] classify_key;
  logic [31:0] classify_value;
  logic [11:0] classify_slot;
  logic [1:0] classify_bank;
  logic classify_entry_valid;
  logic classify_commit_forward;
  logic classify_commit_endpoint;
  logic classify_committed;
  logic [51:0] classify_dest;
  logic classify_commit_dest;
  logic [48:0] classify_neighbour;
  logic classify_commit_neighbour;
  logic [7:0] classify_index;
  logic front_verdicts_reset;
  logic [232:0] front_verdicts_data_in;
  logic front_verdicts_write;
  logic [232:0] front_verdicts_data_out;
  logic front_verdicts_valid;
  logic front_verdicts_read;
  logic [4:0] front_verdicts_level;
  logic back_verdicts_reset;
  logic [232:0] back_verdicts_data_in;
  logic back_verdicts_write;
  logic [232:0] back_verdicts_data_out;
  logic back_verdicts_valid;
  logic back_verdicts_read;
  logic [4:0] back_verdicts_level;
  logic front_route_reset;
  logic front_route_back;
  logic [47:0] front_route_front_mac;
  logic [232:0] front_route_verdict;
  logic front_route_verdict_valid;
  logic [68:0] front_route_beat;
  logic front_route_beat_valid;
  logic front_route_l4_ok;
  logic front_route_cover_ok;
  logic front_route_tail_valid;
  logic front_route_take;
  logic front_route_take_last;
  logic [68:0] front_route_fwd_beat;
  logic front_route_fwd_write;
  logic [9:0] front_route_fwd_level;
  logic [144:0] front_route_fwd_route;
  logic front_route_fwd_route_write;
  logic [5:0] front_route_fwd_route_level;
  logic [68:0] front_route_out_beat;
  logic [127:0] front_route_out_meta;
  logic front_route_host_write;
  logic front_route_host_end;
  logic front_route_host_overflow;
  logic front_route_control_write;
  logic front_route_control_end;
  logic front_route_control_overflow;
  logic front_route_keep;
  logic [3:0] front_route_outcome;
  logic front_route_outcome_valid;
  logic back_route_reset;
  logic back_route_back;
  logic [47:0] back_route_front_mac;
  logic [232:0] back_route_verdict;
  logic back_route_verdict_valid;
  logic [68:0] back_route_beat;
  logic back_route_beat_valid;
  logic back_route_l4_ok;
  logic back_route_cover_ok;
  logic back_route_tail_valid;
  logic back_route_take;
  logic back_route_take_last;
  logic [68:0] back_route_fwd_beat;
  logic back_route_fwd_write;
  logic [9:0] back_route_fwd_level;
  logic [144:0] back_route_fwd_route;
  logic back_route_fwd_route_write;
  logic [5:0] back_route_fwd_route_level;
  logic [68:0] back_route_out_beat;
  logic [127:0] back_route_out_meta;
  logic back_route_host_write;
  logic back_route_host_end;
  logic back_route_host_overflow;
  logic back_route_control_write;
  logic back_route_control_end;
  logic back_route_control_overflow;
  logic back_route_keep;
  logic [3:0] back_route_outcome;
  logic back_route_outcome_valid;
  logic front_fwd_reset;
  logic [68:0] front_fwd_data_in;
  logic front_fwd_write;
  logic [68:0] front_fwd_data_out;
  logic front_fwd_valid;
  logic front_fwd_read;
  logic [9:0] front_fwd_level;
  logic front_routes_reset;
  logic [144:0] front_routes_data_in;
  logic front_routes_write;
  logic [144:0] front_routes_data_out;
  logic front_routes_valid;
  logic front_routes_read;
  logic [5:0] front_routes_level;
  logic back_fwd_reset;
  logic [68:0] back_fwd_data_in;
  logic back_fwd_write;
  logic [68:0] back_fwd_data_out;
  logic back_fwd_valid;
  logic back_fwd_read;
  logic [9:0] back_fwd_level;
  logic back_routes_reset;
  logic [144:0] back_routes_data_in;
  logic back_routes_write;
  logic [144:0] back_routes_data_out;
  logic back_routes_valid;
  logic back_routes_read;
  logic [5:0] back_routes_level;
  logic fwd_arbiter_reset;
  logic [68:0] fwd_arbiter_a_beat;
  logic [144:0] fwd_arbiter_a_meta;
  logic fwd_arbiter_a_valid;
  logic fwd_arbiter_a_ready;
  logic [68:0] fwd_arbiter_b_beat;
  logic [144:0] fwd_arbiter_b_meta;
  logic fwd_arbiter_b_valid;
  logic fwd_arbiter_b_ready;
  logic [68:0] fwd_arbiter_m_beat;
  logic [144:0] fwd_arbiter_m_meta;
  logic fwd_arbiter_m_valid;
  logic fwd_arbiter_m_ready;
  logic encap_reset;
  logic [47:0] encap_mac;
  logic [15:0] encap_ethertype;
  logic [68:0] encap_s_beat;
  logic [144:0] encap_s_route;
  logic encap_s_valid;
  logic encap_s_ready;
  logic [68:0] encap_m_beat;
  logic encap_m_valid;
  logic encap_m_ready;
  logic front_host_reset;
  logic [68:0] front_host_beat_in;
  logic front_host_write;
  logic front_host_finish;
  logic front_host_keep;
  logic [127:0] front_host_meta_in;
  logic front_host_overflow;
  logic front_host_room;
  logic [68:0] front_host_m_beat;
  logic [127:0] front_host_m_meta;
  logic front_host_m_valid;
  logic front_host_m_ready;
  logic back_host_reset;
  logic [68:0] back_host_beat_in;
  logic back_host_write;
  logic back_host_finish;
  logic back_host_keep;
  logic [127:0] back_host_meta_in;
  logic back_host_overflow;
  logic back_host_room;
  logic [68:0] back_host_m_beat;
  logic [127:0] back_host_m_meta;
  logic back_host_m_valid;
  logic back_host_m_ready;
  logic back_control_reset;
  logic [68:0] back_control_beat_in;
  logic back_control_write;
  logic back_control_finish;
  logic back_control_keep;
  logic [127:0] back_control_meta_in;
  logic back_control_overflow;
  logic back_control_room;
  logic [68:0] back_control_m_beat;
  logic [127:0] back_control_m_meta;
  logic back_control_m_valid;
  logic back_control_m_ready;
  logic host_arbiter_reset;
  logic [68:0] host_arbiter_a_beat;
  logic [127:0] host_arbiter_a_meta;
  logic host_arbiter_a_valid;
  logic host_arbiter_a_ready;
  logic [68:0] host_arbiter_b_beat;
  logic [127:0] host_arbiter_b_meta;
  logic host_arbiter_b_valid;
  logic host_arbiter_b_ready;
  logic [68:0] host_arbiter_m_beat;
  logic [127:0] host_arbiter_m_meta;
  logic host_arbiter_m_valid;
  logic host_arbiter_m_ready;
  logic sends_reset;
  logic [68:0] sends_beat_in;
  logic sends_write;
  logic sends_finish;
  logic sends_keep;
  logic sends_meta_in;
  logic sends_overflow;
  logic sends_room;
  logic [68:0] sends_m_beat;
  logic sends_m_meta;
  logic sends_m_valid;
  logic sends_m_ready;
  logic back_arbiter_reset;
  logic [68:0] back_arbiter_a_beat;
  logic back_arbiter_a_meta;
  logic back_arbiter_a_valid;
  logic back_arbiter_a_ready;
  logic [68:0] back_arbiter_b_beat;
  logic back_arbiter_b_meta;
  logic back_arbiter_b_valid;
  logic back_arbiter_b_ready;
  logic [68:0] back_arbiter_m_beat;
  logic back_arbiter_m_meta;
  logic back_arbiter_m_valid;
  logic back_arbiter_m_ready;
  logic [68:0] front_out_beat;
  logic [63:0] front_out_tdata;
  logic [7:0] front_out_tkeep;
  logic front_out_tlast;
  logic front_out_tuser;
  logic [68:0] back_out_beat;
  logic [63:0] back_out_tdata;
  logic [7:0] back_out_tkeep;
  logic back_out_tlast;
  logic back_out_tuser;
  logic [68:0] host_out_beat;
  logic [63:0] host_out_tdata;
  logic [7:0] host_out_tkeep;
  logic host_out_tlast;
  logic host_out_tuser;
  logic [68:0] control_out_beat;
  logic [63:0] control_out_tdata;
  logic [7:0] control_out_tkeep;
  logic control_out_tlast;
  logic control_out_tuser;
  logic front_outcomes_reset;
  logic front_outcomes_strobe;
  logic [3:0] front_outcomes_code;
  logic front_outcomes_read;
  logic [3:0] front_outcomes_read_code;
  logic [63:0] front_outcomes_value;
  logic front_outcomes_ack;
  logic back_outcomes_reset;
  logic back_outcomes_strobe;
  logic [3:0] back_outcomes_code;
  logic back_outcomes_read;
  logic [3:0] back_outcomes_read_code;
  logic [63:0] back_outcomes_value;
  logic back_outcomes_ack;
  logic front_rx_count_reset;
  logic front_rx_count_strobe;
  logic [63:0] front_rx_count_value;
  logic front_tx_count_reset;
  logic front_tx_count_strobe;
  logic [63:0] front_tx_count_value;
  logic back_rx_count_reset;
  logic back_rx_count_strobe;
  logic [63:0] back_rx_count_value;
  logic back_tx_count_reset;
  logic back_tx_count_strobe;
  logic [63:0] back_tx_count_value;
  ipos_card_registers registers (
    .clock(clock),
    .reset(registers_reset),
    .address(registers_address),
    .wdata(registers_wdata),
    .write(registers_write),
    .read(registers_read),
    .rdata(registers_rdata),
    .ack(registers_ack),
    .build(registers_build),
    .ethertype(registers_ethertype),
    .front_mac(registers_front_mac),
    .front_promiscuous(registers_front_promiscuous),
    .front_vlan(registers_front_vlan),
    .back_mac(registers_back_mac),
    .back_promiscuous(registers_back_promiscuous),
    .back_vlan(registers_back_vlan),
    .key(registers_key),
    .value(registers_value),
    .slot(registers_slot),
    .bank(registers_bank),
    .entry_valid(registers_entry_valid),
    .commit_forward(registers_commit_forward),
    .commit_endpoint(registers_commit_endpoint),
    .committed(registers_committed),
    .dest(registers_dest),
    .commit_dest(registers_commit_dest),
    .neighbour(registers_neighbour),
    .commit_neighbour(registers_commit_neighbour),
    .index(registers_index),
    .outcome_code(registers_outcome_code),
    .front_read(registers_front_read),
    .front_ack(registers_front_ack),
    .front_value(registers_front_value),
    .back_read(registers_back_read),
    .back_ack(registers_back_ack),
    .back_value(registers_back_value),
    .front_rx(registers_front_rx),
    .front_tx(registers_front_tx),
    .back_rx(registers_back_rx),
    .back_tx(registers_back_tx)
  );
  ipos_card_front_in front_in (
    .tdata(front_in_tdata),
    .tkeep(front_in_tkeep),
    .tlast(front_in_tlast),
    .tuser(front_in_tuser),
    .beat(front_in_beat)
  );
  ipos_card_front_in back_in (
    .tdata(back_in_tdata),
    .tkeep(back_in_tkeep),
    .tlast(back_in_tlast),
    .tuser(back_in_tuser),
    .beat(back_in_beat)
  );
  ipos_card_front_in host_in (
    .tdata(host_in_tdata),
    .tkeep(host_in_tkeep),
    .tlast(host_in_tlast),
    .tuser(host_in_tuser),
    .beat(host_in_beat)
  );
  ipos_card_front_rx front_rx (
    .clock(clock),
    .reset(front_rx_reset),
    .s_beat(front_rx_s_beat),
    .s_valid(front_rx_s_valid),
    .s_ready(front_rx_s_ready),
    .mac(front_rx_mac),
    .promiscuous(front_rx_promiscuous),
    .ethertype(front_rx_ethertype),
    .back(front_rx_back),
    .meta(front_rx_meta),
    .ip_ok(front_rx_ip_ok),
    .ipos_ok(front_rx_ipos_ok),
    .head_valid(front_rx_head_valid),
    .head_read(front_rx_head_read),
    .l4_ok(front_rx_l4_ok),
    .cover_ok(front_rx_cover_ok),
    .tail_valid(front_rx_tail_valid),
    .tail_read(front_rx_tail_read),
    .beat(front_rx_beat),
    .beat_valid(front_rx_beat_valid),
    .beat_read(front_rx_beat_read)
  );
  ipos_card_front_rx back_rx (
    .clock(clock),
    .reset(back_rx_reset),
    .s_beat(back_rx_s_beat),
    .s_valid(back_rx_s_valid),
    .s_ready(back_rx_s_ready),
    .mac(back_rx_mac),
    .promiscuous(back_rx_promiscuous),
    .ethertype(back_rx_ethertype),
    .back(back_rx_back),
    .meta(back_rx_meta),
    .ip_ok(back_rx_ip_ok),
    .ipos_ok(back_rx_ipos_ok),
    .head_valid(back_rx_head_valid),
    .head_read(back_rx_head_read),
    .l4_ok(back_rx_l4_ok),
    .cover_ok(back_rx_cover_ok),
    .tail_valid(back_rx_tail_valid),
    .tail_read(back_rx_tail_read),
    .beat(back_rx_beat),
    .beat_valid(back_rx_beat_valid),
    .beat_read(back_rx_beat_read)
  );
  ipos_card_classify classify (
    .clock(clock),
    .reset(classify_reset),
    .front_meta(classify_front_meta),
    .front_ip_ok(classify_front_ip_ok),
    .front_valid(classify_front_valid),
    .front_read(classify_front_read),
    .back_meta(classify_back_meta),
    .back_ip_ok(classify_back_ip_ok),
    .back_ipos_ok(classify_back_ipos_ok),
    .back_valid(classify_back_valid),
    .back_read(classify_back_read),
    .verdict(classify_verdict),
    .front_write(classify_front_write),
    .back_write(classify_back_write),
    .front_level(classify_front_level),
    .back_level(classify_back_level),
    .front_vlan(classify_front_vlan),
    .back_vlan(classify_back_vlan),
    .key(classify_key),
    .value(classify_value),
    .slot(classify_slot),
    .bank(classify_bank),
    .entry_valid(classify_entry_valid),
    .commit_forward(classify_commit_forward),
    .commit_endpoint(classify_commit_endpoint),
    .committed(classify_committed),
    .dest(classify_dest),
    .commit_dest(classify_commit_dest),
    .neighbour(classify_neighbour),
    .commit_neighbour(classify_commit_neighbour),
    .index(classify_index)
  );
  ipos_card_front_verdicts front_verdicts (
    .clock(clock),
    .reset(front_verdicts_reset),
    .data_in(front_verdicts_data_in),
    .write(front_verdicts_write),
    .data_out(front_verdicts_data_out),
    .valid(front_verdicts_valid),
    .read(front_verdicts_read),
    .level(front_verdicts_level)
  );
  ipos_card_front_verdicts back_verdicts (
    .clock(clock),
    .reset(back_verdicts_reset),
    .data_in(back_verdicts_data_in),
    .write(back_verdicts_write),
    .data_out(back_verdicts_data_out),
    .valid(back_verdicts_valid),
    .read(back_verdicts_read),
    .level(back_verdicts_level)
  );
  ipos_card_front_route front_route (
    .clock(clock),
    .reset(front_route_reset),
    .back(front_route_back),
    .front_mac(front_route_front_mac),
    .verdict(front_route_verdict),
    .verdict_valid(front_route_verdict_valid),
    .beat(front_route_beat),
    .beat_valid(front_route_beat_valid),
    .l4_ok(front_route_l4_ok),
    .cover_ok(front_route_cover_ok),
    .tail_valid(front_route_tail_valid),
    .take(front_route_take),
    .take_last(front_route_take_last),
    .fwd_beat(front_route_fwd_beat),
    .fwd_write(front_route_fwd_write),
    .fwd_level(front_route_fwd_level),
    .fwd_route(front_route_fwd_route),
    .fwd_route_write(front_route_fwd_route_write),
    .fwd_route_level(front_route_fwd_route_level),
    .out_beat(front_route_out_beat),
    .out_meta(front_route_out_meta),
    .host_write(front_route_host_write),
    .host_end(front_route_host_end),
    .host_overflow(front_route_host_overflow),
    .control_write(front_route_control_write),
    .control_end(front_route_control_end),
    .control_overflow(front_route_control_overflow),
    .keep(front_route_keep),
    .outcome(front_route_outcome),
    .outcome_valid(front_route_outcome_valid)
  );
  ipos_card_front_route back_route (
    .clock(clock),
    .reset(back_route_reset),
    .back(back_route_back),
    .front_mac(back_route_front_mac),
    .verdict(back_route_verdict),
    .verdict_valid(back_route_verdict_valid),
    .beat(back_route_beat),
    .beat_valid(back_route_beat_valid),
    .l4_ok(back_route_l4_ok),
    .cover_ok(back_route_cover_ok),
    .tail_valid(back_route_tail_valid),
    .take(back_route_take),
    .take_last(back_route_take_last),
    .fwd_beat(back_route_fwd_beat),
    .fwd_write(back_route_fwd_write),
    .fwd_level(back_route_fwd_level),
    .fwd_route(back_route_fwd_route),
    .fwd_route_write(back_route_fwd_route_write),
    .fwd_route_level(back_route_fwd_route_level),
    .out_beat(back_route_out_beat),
    .out_meta(back_route_out_meta),
    .host_write(back_route_host_write),
    .host_end(back_route_host_end),
    .host_overflow(back_route_host_overflow),
    .control_write(back_route_control_write),
    .control_end(back_route_control_end),
    .control_overflow(back_route_control_overflow),
    .keep(back_route_keep),
    .outcome(back_route_outcome),
    .outcome_valid(back_route_outcome_valid)
  );
  ipos_card_front_fwd front_fwd (
    .clock(clock),
    .reset(front_fwd_reset),
    .data_in(front_fwd_data_in),
    .write(front_fwd_write),
    .data_out(front_fwd_data_out),
    .valid(front_fwd_valid),
    .read(front_fwd_read),
    .level(front_fwd_level)
  );
  ipos_card_front_routes front_routes (
    .clock(clock),
    .reset(front_routes_reset),
    .data_in(front_routes_data_in),
    .write(front_routes_write),
    .data_out(front_routes_data_out),
    .valid(front_routes_valid),
    .read(front_routes_read),
    .level(front_routes_level)
  );
  ipos_card_front_fwd back_fwd (
    .clock(clock),
    .reset(back_fwd_reset),
    .data_in(back_fwd_data_in),
    .write(back_fwd_write),
    .data_out(back_fwd_data_out),
    .valid(back_fwd_valid),
    .read(back_fwd_read),
    .level(back_fwd_level)
  );
  ipos_card_front_routes back_routes (
    .clock(clock),
    .reset(back_routes_reset),
    .data_in(back_routes_data_in),
    .write(back_routes_write),
    .data_out(back_routes_data_out),
    .valid(back_routes_valid),
    .read(back_routes_read),
    .level(back_routes_level)
  );
  ipos_card_fwd_arbiter fwd_arbiter (
    .clock(clock),
    .reset(fwd_arbiter_reset),
    .a_beat(fwd_arbiter_a_beat),
    .a_meta(fwd_arbiter_a_meta),
    .a_valid(fwd_arbiter_a_valid),
    .a_ready(fwd_arbiter_a_ready),
    .b_beat(fwd_arbiter_b_beat),
    .b_meta(fwd_arbiter_b_meta),
    .b_valid(fwd_arbiter_b_valid),
    .b_ready(fwd_arbiter_b_ready),
    .m_beat(fwd_arbiter_m_beat),
    .m_meta(fwd_arbiter_m_meta),
    .m_valid(fwd_arbiter_m_valid),
    .m_ready(fwd_arbiter_m_ready)
  );
  ipos_card_encap encap (
    .clock(clock),
    .reset(encap_reset),
    .mac(encap_mac),
    .ethertype(encap_ethertype),
    .s_beat(encap_s_beat),
    .s_route(encap_s_route),
    .s_valid(encap_s_valid),
    .s_ready(encap_s_ready),
    .m_beat(encap_m_beat),
    .m_valid(encap_m_valid),
    .m_ready(encap_m_ready)
  );
  ipos_card_front_host front_host (
    .clock(clock),
    .reset(front_host_reset),
    .beat_in(front_host_beat_in),
    .write(front_host_write),
    .finish(front_host_finish),
    .keep(front_host_keep),
    .meta_in(front_host_meta_in),
    .overflow(front_host_overflow),
    .room(front_host_room),
    .m_beat(front_host_m_beat),
    .m_meta(front_host_m_meta),
    .m_valid(front_host_m_valid),
    .m_ready(front_host_m_ready)
  );
  ipos_card_front_host back_host (
    .clock(clock),
    .reset(back_host_reset),
    .beat_in(back_host_beat_in),
    .write(back_host_write),
    .finish(back_host_finish),
    .keep(back_host_keep),
    .meta_in(back_host_meta_in),
    .overflow(back_host_overflow),
    .room(back_host_room),
    .m_beat(back_host_m_beat),
    .m_meta(back_host_m_meta),
    .m_valid(back_host_m_valid),
    .m_ready(back_host_m_ready)
  );
  ipos_card_back_control back_control (
    .clock(clock),
    .reset(back_control_reset),
    .beat_in(back_control_beat_in),
    .write(back_control_write),
    .finish(back_control_finish),
    .keep(back_control_keep),
    .meta_in(back_control_meta_in),
    .overflow(back_control_overflow),
    .room(back_control_room),
    .m_beat(back_control_m_beat),
    .m_meta(back_control_m_meta),
    .m_valid(back_control_m_valid),
    .m_ready(back_control_m_ready)
  );
  ipos_card_host_arbiter host_arbiter (
    .clock(clock),
    .reset(host_arbiter_reset),
    .a_beat(host_arbiter_a_beat),
    .a_meta(host_arbiter_a_meta),
    .a_valid(host_arbiter_a_valid),
    .a_ready(host_arbiter_a_ready),
    .b_beat(host_arbiter_b_beat),
    .b_meta(host_arbiter_b_meta),
    .b_valid(host_arbiter_b_valid),
    .b_ready(host_arbiter_b_ready),
    .m_beat(host_arbiter_m_beat),
    .m_meta(host_arbiter_m_meta),
    .m_valid(host_arbiter_m_valid),
    .m_ready(host_arbiter_m_ready)
  );
  ipos_card_sends sends (
    .clock(clock),
    .reset(sends_reset),
    .beat_in(sends_beat_in),
    .write(sends_write),
    .finish(sends_finish),
    .keep(sends_keep),
    .meta_in(sends_meta_in),
    .overflow(sends_overflow),
    .room(sends_room),
    .m_beat(sends_m_beat),
    .m_meta(sends_m_meta),
    .m_valid(sends_m_valid),
    .m_ready(sends_m_ready)
  );
  ipos_card_back_arbiter back_arbiter (
    .clock(clock),
    .reset(back_arbiter_reset),
    .a_beat(back_arbiter_a_beat),
    .a_meta(back_arbiter_a_meta),
    .a_valid(back_arbiter_a_valid),
    .a_ready(back_arbiter_a_ready),
    .b_beat(back_arbiter_b_beat),
    .b_meta(back_arbiter_b_meta),
    .b_valid(back_arbiter_b_valid),
    .b_ready(back_arbiter_b_ready),
    .m_beat(back_arbiter_m_beat),
    .m_meta(back_arbiter_m_meta),
    .m_valid(back_arbiter_m_valid),
    .m_ready(back_arbiter_m_ready)
  );
  ipos_card_front_out front_out (
    .beat(front_out_beat),
    .tdata(front_out_tdata),
    .tkeep(front_out_tkeep),
    .tlast(front_out_tlast),
    .tuser(front_out_tuser)
  );
  ipos_card_front_out back_out (
    .beat(back_out_beat),
    .tdata(back_out_tdata),
    .tkeep(back_out_tkeep),
    .tlast(back_out_tlast),
    .tuser(back_out_tuser)
  );
  ipos_card_front_out host_out (
    .beat(host_out_beat),
    .tdata(host_out_tdata),
    .tkeep(host_out_tkeep),
    .tlast(host_out_tlast),
    .tuser(host_out_tuser)
  );
  ipos_card_front_out control_out (
    .beat(control_out_beat),
    .tdata(control_out_tdata),
    .tkeep(control_out_tkeep),
    .tlast(control_out_tlast),
    .tuser(control_out_tuser)
  );
  ipos_card_front_outcomes front_outcomes (
    .clock(clock),
    .reset(front_outcomes_reset),
    .strobe(front_outcomes_strobe),
    .code(front_outcomes_code),
    .read(front_outcomes_read),
    .read_code(front_outcomes_read_code),
    .value(front_outcomes_value),
    .ack(front_outcomes_ack)
  );
  ipos_card_front_outcomes back_outcomes (
    .clock(clock),
    .reset(back_outcomes_reset),
    .strobe(back_outcomes_strobe),
    .code(back_outcomes_code),
    .read(back_outcomes_read),
    .read_code(back_outcomes_read_code),
    .value(back_outcomes_value),
    .ack(back_outcomes_ack)
  );
  ipos_card_front_rx_count front_rx_count (
    .clock(clock),
    .reset(front_rx_count_reset),
    .strobe(front_rx_count_strobe),
    .value(front_rx_count_value)
  );
  ipos_card_front_rx_count front_tx_count (
    .clock(clock),
    .reset(front_tx_count_reset),
    .strobe(front_tx_count_strobe),
    .value(front_tx_count_value)
  );
  ipos_card_front_rx_count back_rx_count (
    .clock(clock),
    .reset(back_rx_count_reset),
    .strobe(back_rx_count_strobe),
    .value(back_rx_count_value)
  );
  ipos_card_front_rx_count back_tx_count (
    .clock(clock),
    .reset(back_tx_count_reset),
    .strobe(back_tx_count_strobe),
    .value(back_tx_count_value)
  );
  always_comb begin
    registers_reset = reset;
    front_rx_reset = reset;
    back_rx_reset = reset;
    classify_reset = reset;
    front_verdicts_reset = reset;
    back_verdicts_reset = reset;
    front_route_reset = reset;
    back_route_reset = reset;
    front_fwd_reset = reset;
    front_routes_reset = reset;
    back_fwd_reset = reset;
    back_routes_reset = reset;
    fwd_arbiter_reset = reset;
    encap_reset = reset;
    front_host_reset = reset;
    back_host_reset = reset;
    back_control_reset = reset;
    host_arbiter_reset = reset;
    sends_reset = reset;
    back_arbiter_reset = reset;
    front_outcomes_reset = reset;
    back_outcomes_reset = reset;
    front_rx_count_reset = reset;
    front_tx_count_reset = reset;
    back_rx_count_reset = reset;
    back_tx_count_reset = reset;
    registers_address = reg_address;
    registers_wdata = reg_wdata;
    registers_write = reg_write;
    registers_read = reg_read;
    registers_build = build;
    reg_rdata = registers_rdata;
    reg_ack = registers_ack;
    registers_committed = classify_committed;
    classify_key = registers_key;
    classify_value = registers_value;
    classify_slot = registers_slot;
    classify_bank = registers_bank;
    classify_entry_valid = registers_entry_valid;
    classify_commit_forward = registers_commit_forward;
    classify_commit_endpoint = registers_commit_endpoint;
    classify_dest = registers_dest;
    classify_commit_dest = registers_commit_dest;
    classify_neighbour = registers_neighbour;
    classify_commit_neighbour = registers_commit_neighbour;
    classify_index = registers_index;
    classify_front_vlan = registers_front_vlan;
    classify_back_vlan = registers_back_vlan;
    front_in_tdata = front_rx_tdata;
    front_in_tkeep = front_rx_tkeep;
    front_in_tlast = front_rx_tlast;
    front_in_tuser = front_rx_tuser;
    front_rx_s_beat = front_in_beat;
    front_rx_s_valid = front_rx_tvalid;
    front_rx_tready = front_rx_s_ready;
    front_rx_mac = registers_front_mac;
    front_rx_promiscuous = registers_front_promiscuous;
    front_rx_ethertype = registers_ethertype;
    front_rx_back = 1'h0;
    front_rx_head_read = classify_front_read;
    front_rx_beat_read = front_route_take;
    front_rx_tail_read = front_route_take_last;
    front_rx_count_strobe = ((front_rx_tvalid & front_rx_s_ready) & front_rx_tlast);
    registers_front_rx = front_rx_count_value;
    registers_front_tx = front_tx_count_value;
    back_in_tdata = back_rx_tdata;
    back_in_tkeep = back_rx_tkeep;
    back_in_tlast = back_rx_tlast;
    back_in_tuser = back_rx_tuser;
    back_rx_s_beat = back_in_beat;
    back_rx_s_valid = back_rx_tvalid;
    back_rx_tready = back_rx_s_ready;
    back_rx_mac = registers_back_mac;
    back_rx_promiscuous = registers_back_promiscuous;
    back_rx_ethertype = registers_ethertype;
    back_rx_back = 1'h1;
    back_rx_head_read = classify_back_read;
    back_rx_beat_read = back_route_take;
    back_rx_tail_read = back_route_take_last;
    back_rx_count_strobe = ((back_rx_tvalid & back_rx_s_ready) & back_rx_tlast);
    registers_back_rx = back_rx_count_value;
    registers_back_tx = back_tx_count_value;
    classify_front_meta = front_rx_meta;
    classify_front_ip_ok = front_rx_ip_ok;
    classify_front_valid = front_rx_head_valid;
    classify_front_level = front_verdicts_level;
    front_verdicts_data_in = classify_verdict;
    front_verdicts_write = classify_front_write;
    front_verdicts_read = front_route_take_last;
    classify_back_meta = back_rx_meta;
    classify_back_ip_ok = back_rx_ip_ok;
    classify_back_valid = back_rx_head_valid;
    classify_back_level = back_verdicts_level;
    back_verdicts_data_in = classify_verdict;
    back_verdicts_write = classify_back_write;
    back_verdicts_read = back_route_take_last;
    classify_back_ipos_ok = back_rx_ipos_ok;
    front_route_back = 1'h0;
    front_route_front_mac = registers_front_mac;
    front_route_verdict = front_verdicts_data_out;
    front_route_verdict_valid = front_verdicts_valid;
    front_route_beat = front_rx_beat;
    front_route_beat_valid = front_rx_beat_valid;
    front_route_l4_ok = front_rx_l4_ok;
    front_route_cover_ok = front_rx_cover_ok;
    front_route_tail_valid = front_rx_tail_valid;
    front_route_fwd_level = front_fwd_level;
    front_route_fwd_route_level = front_routes_level;
    front_fwd_data_in = front_route_fwd_beat;
    front_fwd_write = front_route_fwd_write;
    front_routes_data_in = front_route_fwd_route;
    front_routes_write = front_route_fwd_route_write;
    front_host_beat_in = front_route_out_beat;
    front_host_write = front_route_host_write;
    front_host_finish = front_route_host_end;
    front_host_keep = front_route_keep;
    front_host_meta_in = front_route_out_meta;
    front_route_host_overflow = front_host_overflow;
    front_outcomes_strobe = front_route_outcome_valid;
    front_outcomes_code = front_route_outcome;
    front_outcomes_read = registers_front_read;
    front_outcomes_read_code = registers_outcome_code;
    registers_front_ack = front_outcomes_ack;
    registers_front_value = front_outcomes_value;
    back_route_back = 1'h1;
    back_route_front_mac = registers_front_mac;
    back_route_verdict = back_verdicts_data_out;
    back_route_verdict_valid = back_verdicts_valid;
    back_route_beat = back_rx_beat;
    back_route_beat_valid = back_rx_beat_valid;
    back_route_l4_ok = back_rx_l4_ok;
    back_route_cover_ok = back_rx_cover_ok;
    back_route_tail_valid = back_rx_tail_valid;
    back_route_fwd_level = back_fwd_level;
    back_route_fwd_route_level = back_routes_level;
    back_fwd_data_in = back_route_fwd_beat;
    back_fwd_write = back_route_fwd_write;
    back_routes_data_in = back_route_fwd_route;
    back_routes_write = back_route_fwd_route_write;
    back_host_beat_in = back_route_out_beat;
    back_host_write = back_route_host_write;
    back_host_finish = back_route_host_end;
    back_host_keep = back_route_keep;
    back_host_meta_in = back_route_out_meta;
    back_route_host_overflow = back_host_overflow;
    back_outcomes_strobe = back_route_outcome_valid;
    back_outcomes_code = back_route_outcome;
    back_outcomes_read = registers_back_read;
    back_outcomes_read_code = registers_outcome_code;
    registers_back_ack = back_outcomes_ack;
    registers_back_value = back_outcomes_value;
    front_route_control_overflow = 1'h0;
    back_control_beat_in = back_route_out_beat;
    back_control_write = back_route_control_write;
    back_control_finish = back_route_control_end;
    back_control_keep = back_route_keep;
    back_control_meta_in = back_route_out_meta;
    back_route_control_overflow = back_control_overflow;
    front_fwd_ready = (front_fwd_valid & front_routes_valid);
    front_fwd_take = (front_fwd_ready & fwd_arbiter_a_ready);
    fwd_arbiter_a_beat = front_fwd_data_out;
    fwd_arbiter_a_meta = front_routes_data_out;
    fwd_arbiter_a_valid = front_fwd_ready;
    front_fwd_read = front_fwd_take;
    front_routes_read = (front_fwd_take & front_fwd_data_out[67]);
    back_fwd_ready = (back_fwd_valid & back_routes_valid);
    back_fwd_take = (back_fwd_ready & fwd_arbiter_b_ready);
    fwd_arbiter_b_beat = back_fwd_data_out;
    fwd_arbiter_b_meta = back_routes_data_out;
    fwd_arbiter_b_valid = back_fwd_ready;
    back_fwd_read = back_fwd_take;
    back_routes_read = (back_fwd_take & back_fwd_data_out[67]);
    encap_mac = registers_back_mac;
    encap_ethertype = registers_ethertype;
    encap_s_beat = fwd_arbiter_m_beat;
    encap_s_route = fwd_arbiter_m_meta;
    encap_s_valid = fwd_arbiter_m_valid;
    fwd_arbiter_m_ready = encap_s_ready;
    host_in_tdata = in_tdata;
    host_in_tkeep = in_tkeep;
    host_in_tlast = in_tlast;
    host_in_tuser = 1'h0;
    in_tready = sends_room;
    in_take = (in_tvalid & sends_room);
    in_meta = 1'h0;
    if (in_port) begin
      in_meta = 1'h1;
    end
    sends_beat_in = host_in_beat;
    sends_write = in_take;
    sends_finish = (in_take & in_tlast);
    sends_keep = 1'h1;
    sends_meta_in = in_meta;
    in_back = (|sends_m_meta);
    back_arbiter_a_beat = encap_m_beat;
    back_arbiter_a_meta = 1'h0;
    back_arbiter_a_valid = encap_m_valid;
    encap_m_ready = back_arbiter_a_ready;
    back_arbiter_b_beat = sends_m_beat;
    back_arbiter_b_meta = 1'h0;
    back_arbiter_b_valid = (sends_m_valid & in_back);
    sends_m_ready = front_tx_tready;
    if (in_back) begin
      sends_m_ready = back_arbiter_b_ready;
    end
    front_out_beat = sends_m_beat;
    front_tx_tvalid = (sends_m_valid & (~in_back));
    back_out_beat = back_arbiter_m_beat;
    back_tx_tvalid = back_arbiter_m_valid;
    back_arbiter_m_ready = back_tx_tready;
    front_tx_tdata = front_out_tdata;
    front_tx_tkeep = front_out_tkeep;
    front_tx_tlast = front_out_tlast;
    front_tx_tuser = front_out_tuser;
    back_tx_tdata = back_out_tdata;
    back_tx_tkeep = back_out_tkeep;
    back_tx_tlast = back_out_tlast;
    back_tx_tuser = back_out_tuser;
    front_tx_count_strobe = (((front_tx_tready & sends_m_valid) & (~in_back)) & sends_m_beat[67]);
    back_tx_count_strobe = ((back_tx_tready & back_arbiter_m_valid) & back_arbiter_m_beat[67]);
    host_arbiter_a_beat = front_host_m_beat;
    host_arbiter_a_meta = front_host_m_meta;
    host_arbiter_a_valid = front_host_m_valid;
    front_host_m_ready = host_arbiter_a_ready;
    host_arbiter_b_beat = back_host_m_beat;
    host_arbiter_b_meta = back_host_m_meta;
    host_arbiter_b_valid = back_host_m_valid;
    back_host_m_ready = host_arbiter_b_ready;
    host_out_beat = host_arbiter_m_beat;
    host_meta = host_arbiter_m_meta;
    host_tvalid = host_arbiter_m_valid;
    host_arbiter_m_ready = host_tready;
    control_out_beat = back_control_m_beat;
    control_meta = back_control_m_meta;
    control_tvalid = back_control_m_valid;
    back_control_m_ready = control_tready;
    host_tdata = host_out_tdata;
    host_tkeep = host_out_tkeep;
    host_tlast = host_out_tlast;
    control_tdata = control_out_tdata;
    control_tkeep = control_out_tkeep;
    control_tlast = control_out_tlast;
  end
endmodule


