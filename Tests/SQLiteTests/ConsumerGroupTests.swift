import Testing

@testable import SQLite

struct ConsumerGroupTests {
    @Test func `One member reads everything`() {
        var group = ConsumerGroup(partitions: 3)
        let member = group.join()
        #expect(group.balance(member) { _ in true } == [0, 1, 2])
    }

    @Test func `A newcomer waits until the owner has settled`() {
        var group = ConsumerGroup(partitions: 4)
        let first = group.join()
        _ = group.balance(first) { _ in true }
        let second = group.join()
        #expect(group.balance(second) { _ in true } == [])
        #expect(group.balance(first) { _ in false } == [0, 2], "it stops reading the others")
        #expect(group.balance(second) { _ in true } == [])
        #expect(group.balance(first) { _ in true } == [0, 2])
        #expect(group.balance(second) { _ in true } == [1, 3])
    }

    @Test func `Who stays takes over from who leaves`() {
        var group = ConsumerGroup(partitions: 2)
        let members = [group.join(), group.join()]
        _ = group.balance(members[0]) { _ in true }
        _ = group.balance(members[1]) { _ in true }
        group.leave(members[0])
        #expect(group.balance(members[1]) { _ in true } == [0, 1])
        #expect(group.balance(members[0]) { _ in true } == [])
    }

    @Test func `More members than partitions leaves some without`() {
        var group = ConsumerGroup(partitions: 1)
        let members = [group.join(), group.join()]
        #expect(group.balance(members[1]) { _ in true } == [])
        #expect(group.balance(members[0]) { _ in true } == [0])
    }
}
