//! The fabric: rust-hdl blocks of the ipOS card.
