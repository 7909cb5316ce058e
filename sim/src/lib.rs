//! A card without a board: the reference model, the Verilated card, wires and faults.
