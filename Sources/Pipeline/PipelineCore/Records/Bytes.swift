/// A view of bytes that shares its storage with its neighbours.
///
/// A source copies what it fetched into one array a chunk and hands out slices of it, so that a record
/// costs no allocation of its own.
public typealias Bytes = ArraySlice<UInt8>
