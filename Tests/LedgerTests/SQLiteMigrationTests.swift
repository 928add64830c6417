import SQLite
import Testing

@testable import SQLiteLedger

struct SQLiteMigrationTests {
    /// A file keeps what these identify: append a step, never change one.
    @Test func `The steps of the embedded ledger are what they were when they were shipped`() {
        #expect(
            LedgerSchema.migration.digests == [
                "43ee97bf959c2ea97c34b45d656c3579", "2a0fa109f9666c21058be706a80cce4e",
                "176511584648a18ad4fa7a256f343fb6", "5d5e1c4b8c912d515d2ff6ae1101adef",
                "9881fca28ba87acefb5293c08df31eee", "d2897f549c5d5d271e990377fdc043bc",
                "eb33bcada2b22f5f8cf5b9846f92d869", "92264a43ef1b682ab4bff4e307c6c306",
                "698ed3bd8b868e6ddb5f1021bbefebdb", "120273d1f250e623e19378bd56cc9b91",
                "e4816ec083fbf171e20dba332e323133", "2ee3148b0042ec30562dfa00fb468421",
            ])
    }
}
