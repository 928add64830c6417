internal import CPostgres

/// A type that parameters, results and COPY rows can have in the binary format.
public enum PostgresType: UInt32, Sendable, CaseIterable {
    // The numbers are the catalogue's own (pg_type.dat), fixed for ever.
    case bool = 16
    case bytea = 17
    /// `"char"`: one byte.
    case char = 18
    case int8 = 20
    case int2 = 21
    case int4 = 23
    case text = 25
    case float8 = 701
    case timestamptz = 1184
    case uuid = 2950

    var oid: Oid { rawValue }

    /// The type of arrays of this type.
    var arrayOid: Oid {
        switch self {
        case .bool: 1000
        case .bytea: 1001
        case .char: 1002
        case .int8: 1016
        case .int2: 1005
        case .int4: 1007
        case .text: 1009
        case .float8: 1022
        case .timestamptz: 1185
        case .uuid: 2951
        }
    }
}
