import StageModel
import StageScheduler
import StageWire
import Testing

@testable import StageRuntime

/// What the host writes down as JSON says the same when it is read again.
@Suite struct StoredTextTests {
    private static let letter = #"""
        {"stage":2,"batch":77,"index":65535,"category":"crash","signal":11,"message":"a \"b\" \/ é\n\u0001","attempts":2,
        "evidence":"SIGSEGV","seconds":4294967295,"isUnreadable":true,"digest":"ab","ancestor":9,"later":[1]}
        """#

    @Test func `a letter as every version has written it is read, and comes back from what is written now`() throws {
        let facts = try #require(LetterFacts(json: Array(Self.letter.utf8)))
        #expect(facts.stage == 2 && facts.batch == 77 && facts.index == 65_535 && facts.signal == 11 && facts.attempts == 2)
        #expect(facts.message == "a \"b\" / é\n\u{1}")
        #expect(facts.seconds == .max && facts.isUnreadable && facts.digest == "ab" && facts.ancestor == 9)
        #expect(LetterFacts(json: facts.json) == facts)
    }

    @Test func `what may be missing in a letter is missing when it is read again`() throws {
        var facts = try #require(LetterFacts(json: Array(Self.letter.utf8)))
        (facts.signal, facts.digest, facts.ancestor) = (nil, nil, nil)
        #expect(LetterFacts(json: facts.json) == facts)
    }

    @Test(arguments: ["", "[]", "{}", "null", "{\"stage\":-1}", String(StoredTextTests.letter.dropFirst(20))])
    func `what is no letter is none`(text: String) {
        #expect(LetterFacts(json: Array(text.utf8)) == nil)
    }

    @Test func `a letter whose numbers do not fit is none`() {
        #expect(LetterFacts(json: Array(Self.letter.replacing("65535", with: "4294967296").utf8)) == nil)
        #expect(LetterFacts(json: Array(Self.letter.replacing("\"seconds\":4294967295", with: "\"seconds\":-1").utf8)) == nil)
    }

    @Test func `an entry of the ledger comes back as it was`() {
        var entry = LedgerEntry(.retry)
        #expect(LedgerEntry(extra: entry.extra) == entry)
        (entry.stage, entry.batch, entry.last, entry.through, entry.letters) = (3, 1 << 40, 5, 0, [[1, 4], [9, 9]])
        #expect(LedgerEntry(extra: entry.extra) == entry)
        var costs = LedgerEntry(.costs)
        costs.amounts = ["tokens": 12.25, "usd": 3, "tiny": 1e-300, "a \"name\"": 0]
        #expect(LedgerEntry(extra: costs.extra) == costs)
    }

    @Test(arguments: [#"{"kind":"other"}"#, #"{"stage":1}"#, #"{"kind":"discard","letters":[[1,"2"]]}"#, #"{"kind":"discard","letters":[7]}"#])
    func `an entry that makes no sense is none`(text: String) {
        var items = ItemWriter()
        items.append(.message, text: text)
        #expect(LedgerEntry(extra: items.bytes) == nil)
    }

    @Test func `attempts come back as they were, whatever the number of the host`() throws {
        var file = AttemptFile(counted: .max - 5)
        file.records = [
            .init(stage: "work", digest: "d", batch: 7, first: 1, last: 4, past: .init(early: 1, late: 2, alone: true, at: [-3, 1_795_000_000]))
        ]
        let again = try #require(AttemptFile(json: file.json))
        #expect(again.counted == file.counted)
        let entry = try #require(again.records.first)
        #expect(entry.stage == "work" && entry.digest == "d" && entry.batch == 7 && entry.first == 1 && entry.last == 4)
        #expect(entry.past == file.records[0].past)
        #expect(AttemptFile(json: Array(#"{"counted":1,"records":[{"stage":"work"}]}"#.utf8)) == nil)
    }
}
