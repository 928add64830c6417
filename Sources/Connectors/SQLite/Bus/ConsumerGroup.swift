/// Who of a group reads which partition: a state machine without I/O.
///
/// Partition *p* is meant for member *p mod n*. A partition changes hands cooperatively: its owner
/// lets it go once nothing of it is unsettled, and only then another may take it.
struct ConsumerGroup: Hashable, Sendable {
    /// In order of joining.
    private(set) var members: [Int] = []
    private var owners: [Int?]
    private var nextMember = 1

    init(partitions: Int) { owners = Array(repeating: nil, count: partitions) }

    mutating func join() -> Int {
        defer { nextMember += 1 }
        members.append(nextMember)
        return nextMember
    }

    /// Frees what the member owned, settled or not: the next owner goes on from the stored
    /// positions.
    mutating func leave(_ member: Int) {
        members.removeAll { $0 == member }
        for partition in owners.indices where owners[partition] == member {
            owners[partition] = nil
        }
    }

    /// Brings a member in line: releases what is meant for another and `isIdle`, takes what is free
    /// and meant for it.
    ///
    /// - Returns: the partitions that the member may read now; others that it still owns it must
    ///   not read on.
    mutating func balance(_ member: Int, isIdle: (Int) -> Bool) -> [Int] {
        guard members.contains(member) else { return [] }
        var readable: [Int] = []
        for partition in owners.indices {
            let target = members[partition % members.count]
            if target == member {
                if owners[partition] == nil { owners[partition] = member }
                if owners[partition] == member { readable.append(partition) }
            } else if owners[partition] == member && isIdle(partition) {
                owners[partition] = nil
            }
        }
        return readable
    }

    func owns(_ member: Int, _ partition: Int) -> Bool { owners[partition] == member }
}
