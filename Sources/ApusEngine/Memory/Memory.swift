import ApusShims

/// Memory whose size depends on the problem: asked for so that a refusal is an error, not the end of the process.
public enum Memory {
  /// Cache lines, and the widest vector.
  public static let alignment = 64

  /// `bytes` uninitialised bytes, aligned to 64; large areas to huge pages.
  public static func allocate(bytes: Int) throws(ApusError) -> UnsafeMutableRawPointer {
    guard let p = apus_allocate(bytes) else {
      throw ApusError(.outOfMemory, "the system refused \(bytes) bytes")
    }
    return p
  }

  /// Ends memory that `allocate` gave; nil is legal.
  public static func free(_ p: UnsafeMutableRawPointer?) { apus_free(p) }

  /// Returns every thread's packing buffer that no running call is using.
  public static func trim() { apus_buffers_trim() }
}
