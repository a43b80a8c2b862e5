#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension Reduction {
  static func logarithm(_ x: Double) -> Double { log(x) }
}
