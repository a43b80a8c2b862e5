#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A buffer on pages of its own between two pages that may not be touched: whoever strays ends the test process.
public final class TestMemory {
  /// How a buffer lies on its pages.
  public enum Placement: Sendable, Equatable, CustomStringConvertible {
    /// So many bytes past the start of a page; what surrounds the buffer is checked by `surroundingsAreIntact`.
    case offset(Int)
    /// The last byte lies against the guard page.
    case beforeGuard
    /// The first byte does.
    case afterGuard

    /// For messages.
    public var description: String {
      switch self {
      case .offset(let bytes): "offset \(bytes)"
      case .beforeGuard: "before a guard page"
      case .afterGuard: "after a guard page"
      }
    }
  }

  /// The first byte.
  public let base: UnsafeMutableRawPointer
  /// Bytes.
  public let count: Int
  private let mapping: UnsafeMutableRawPointer
  private let mapped: Int
  private let pages: UnsafeMutableRawBufferPointer
  private static let pattern: UInt8 = 0xa5

  /// `bytes` bytes, filled with a pattern that is a number in both types.
  public init(bytes: Int, _ placement: Placement = .offset(0)) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    var lead = 0
    if case .offset(let offset) = placement { lead = offset + page / 2 }
    let inner = max(page, (bytes + 2 * lead + page - 1) / page * page)
    mapped = inner + 2 * page
    guard let p = mmap(nil, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), p != MAP_FAILED else {
      fatalError("mmap of \(mapped) bytes: errno \(errno)")
    }
    mapping = p
    pages = UnsafeMutableRawBufferPointer(start: p + page, count: inner)
    precondition(mprotect(p, page, PROT_NONE) == 0 && mprotect(p + page + inner, page, PROT_NONE) == 0)
    memset(p + page, Int32(Self.pattern), inner)
    count = bytes
    switch placement {
    case .offset: base = p + page + lead
    case .beforeGuard: base = p + page + inner - bytes
    case .afterGuard: base = p + page
    }
  }

  deinit { munmap(mapping, mapped) }

  /// Every byte of the buffer. With 0xff each number is NaN.
  func fill(_ byte: UInt8) { memset(base, Int32(byte), count) }

  /// A copy, placed elsewhere.
  func copy(_ placement: Placement) -> TestMemory {
    let other = TestMemory(bytes: count, placement)
    other.base.copyMemory(from: base, byteCount: count)
    return other
  }

  /// Whether no byte of the pages but the buffer's own was written.
  var surroundingsAreIntact: Bool {
    let start = base - pages.baseAddress!
    return pages[..<start].allSatisfy { $0 == Self.pattern }
      && pages[(start + count)...].allSatisfy { $0 == Self.pattern }
  }

  /// Whether all bytes are those of another buffer.
  public func isEqual(to other: TestMemory) -> Bool { hasSameBytes(other) }

  func hasSameBytes(_ other: TestMemory) -> Bool { count == other.count && memcmp(base, other.base, count) == 0 }
}
