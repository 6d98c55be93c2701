import CStage
import Testing

@Test(.enabled(if: LibCurl.isThere, "needs libcurl4"), arguments: [
    (#"{"url":"x","method":"post"}"#, #"method: found "post", expected a method in capitals"#),
    (#"{"url":"{{id}}"}"#, "url: found {{id}} at character 9"), (#"{"url":"x","timeout":0}"#, "timeout: found 0, expected seconds above 0"),
    (#"{"url":"x","headers":{"A B":"x"}}"#, "headers.A B: is not the name of a header"),
    (#"{"url":"x","headers":{"A":"${STAGE_NO_SUCH_VARIABLE}"}}"#, "headers.A: the environment variable STAGE_NO_SUCH_VARIABLE is not set"),
    (#"{"url":"x","headers":{"A":"${HOME"}}"#, "headers.A: found ${ without }"), (#"{"url":"x","body":"{{value"}"#, "body: found {{ without }}"),
    (#"{"url":"x","answer":"a"}"#, #"answer: found "a", expected a JSON pointer"#), (#"{"url":"x","costs":{"t":{"times":2}}}"#, "at"),
    (#"{"url":"x","concurrency":0}"#, "concurrency: found 0"),
])
func `call-http refuses a wrong configuration by its key`(_ config: String, _ message: String) throws {
    let refusal = try #require(throws: Refusal.self) { _ = try TestPlugin("call-http").open(config) }
    #expect(refusal.message.contains(message), "\(refusal.message)")
}

@Test(.enabled(if: LibCurl.isThere, "needs libcurl4")) func `what cannot be sent fails for good, what cannot be reached for now`() throws {
    let stage = try TestPlugin("call-http").open(#"{"url":"{{value}}","headers":{"X-Key":"{{key}}"}}"#)
    let outcome = stage.process([
        TestRecord("a", "x"), TestRecord("two\nlines", "x"),
    ])
    #expect(outcome.failures.count == 2)
    #expect(outcome.failures.contains { !$0.isTransient && $0.message.contains("the header X-Key would hold a control character") })
    let refused = try TestPlugin("call-http").open(#"{"url":"file:///etc/passwd"}"#).process([TestRecord("a", "")])
    #expect(refused.failures.first?.isTransient == false)
    let closed = try TestPlugin("call-http").open(#"{"url":"http://127.0.0.1:1/"}"#).process([TestRecord("a", "")])
    #expect(closed.failures.first?.isTransient == true)
}
