//! What every datapath must do, run over each of them: the reference card, the fabric behind its descriptor rings, and a card in a
//! process of its own, reached over vfio-user. The frames are made by etherparse, the ipOS header is computed here.

mod conservation;
mod entries;
mod frames;
mod rig;
