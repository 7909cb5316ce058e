//! Tables, neighbours and counters of a card, above the device trait.
