/// Some bytes of the memory that host and workers share; see `docs/wire.md`.
package struct SharedPlace: Sendable, Equatable {
    package var offset: Int
    package var length: Int

    package init(offset: Int, length: Int) {
        self.offset = offset
        self.length = length
    }
}
