// proof: design cuckoo_narrow, mode prove, depth 8
// A commit is atomic: whatever the tables held before, a lookup of any key in any slot of any bank sees the entry as
// the commits before it left it, whole, never one that is being written, never parts of two; a commit elsewhere
// leaves it alone. Used as documented (no commit beside a lookup) no RAM is written in the cycle in which it is read. Unbounded.
  (* anyconst *) logic [1:0] fv_bank;
  (* anyconst *) logic [1:0] fv_slot;
  (* anyseq *) logic fv_look;       // the hash is for a lookup
  logic fv_known = 0;               // the place was written: what it holds is known here
  logic [107:0] fv_now;
  // 0: hash and slot, 2: key, 5: answer
  logic [4:0] fv_mine = 0;
  logic [107:0] fv_at1, fv_at2, fv_at3, fv_at4, fv_at5;
  logic [96:0] fv_key3, fv_key4, fv_key5;
  wire [47:0] fv_shifted = hash >> (fv_bank == 0 ? 0 : fv_bank == 1 ? 12 : fv_bank == 2 ? 24 : 36);
  wire fv_written = sweep ? sweep_slot[1:0] == fv_slot : commit && commit_bank == fv_bank && commit_slot[1:0] == fv_slot;
  // a key is in one place at most (the host's duty): no other bank has it too
  wire [3:0] fv_others = {same_3_q, same_2_q, same_1_q, same_0_q} & ~(4'b1 << fv_bank);
  logic fv_alone;
  wire fv_same = fv_at5[97] && fv_at5[96:0] == fv_key5;
  // what the RAM does, said of its ports: induction does not see into the array. Read and written at once, it says anything.
  logic [107:0] fv_ram, fv_read;
  logic fv_reads = 0;
  wire [3:0] fv_enables = {ram_3_write_enable, ram_2_write_enable, ram_1_write_enable, ram_0_write_enable};
  wire [7:0] fv_places = {ram_3_write_address, ram_2_write_address, ram_1_write_address, ram_0_write_address};
  wire [7:0] fv_reading = {ram_3_read_address, ram_2_read_address, ram_1_read_address, ram_0_read_address};
  wire [431:0] fv_data = {ram_3_write_data, ram_2_write_data, ram_1_write_data, ram_0_write_data};
  wire [431:0] fv_reply = {ram_3_read_data, ram_2_read_data, ram_1_read_data, ram_0_read_data};
  wire fv_writes = fv_enables[fv_bank] && fv_places[2*fv_bank +: 2] == fv_slot;
  always @(posedge clock) begin
    if (fv_writes) fv_ram <= fv_data[108*fv_bank +: 108];
    fv_reads <= fv_known && !fv_writes && fv_reading[2*fv_bank +: 2] == fv_slot;
    fv_read <= fv_ram;
  end
  always @(*) if (fv_reads) assume (fv_reply[108*fv_bank +: 108] == fv_read);
  always @(*) begin
    if (fv_known) assert (fv_now == fv_ram);
    if (fv_look) assert (fv_enables == 0);
  end
  // narrow, for the solver: the other bits are like these
  always @(*) begin
    assume (key[96:3] == 0 && commit_key[96:3] == 0 && commit_value[9:3] == 0);
    assume ((hash & 48'hffcffcffcffc) == 0 && sweep_slot[11:2] == 0 && commit_slot[11:2] == 0);
  end
  always @(*) if (fv_look) assume (!commit && !sweep);
  always @(posedge clock) begin
    if (fv_written) begin
      fv_known <= 1;
      fv_now <= {commit_value, commit_valid && !sweep, commit_key};
    end
    fv_mine <= {fv_mine[3:0], fv_look && fv_known && fv_shifted[1:0] == fv_slot};
    fv_at1 <= fv_now;
    fv_at2 <= fv_at1;
    fv_at3 <= fv_at2;
    fv_at4 <= fv_at3;
    fv_at5 <= fv_at4;
    fv_alone <= fv_others == 0;
    fv_key3 <= key;
    fv_key4 <= fv_key3;
    fv_key5 <= fv_key4;
    if (fv_mine[4]) begin
      if (fv_same) assert (hit);
      if (fv_alone) begin
        assert (hit == fv_same);
        if (hit) assert (value == fv_at5[107:98] && place == {fv_bank, 10'd0, fv_slot});
      end
    end
  end
