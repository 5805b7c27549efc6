//! Another daemon's engine, reached over D-Bus: how virtqemud asks for a port, a volume or a secret.
//!
//! It implements [`virtbus_api::neighbour::NetworkNeighbour`] and [`virtbus_api::neighbour::StorageNeighbour`].
