//! The engine of virtstoraged: storage pools, volumes and secrets. It knows no wire; the fronts call it through `virtbus_api`.
