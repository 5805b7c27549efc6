//! The engine of virtnetworkd: networks. It knows no wire; the fronts call it through `virtbus_api`.
