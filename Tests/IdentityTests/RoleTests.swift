import Testing

@testable import Identity

@Suite("Roles")
struct RoleTests {
    @Test(
        "may what the table says",
        arguments: [
            (Role.requester, [Permission.create, .read, .cancel]), (.reader, [.read]),
            (.operator, Permission.allCases), (.admin, Permission.allCases),
        ])
    func permissions(_ role: Role, _ permissions: [Permission]) {
        #expect(Permission.allCases.filter(role.may) == permissions)
    }
}
