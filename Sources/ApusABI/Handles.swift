import ApusEngine
import CApus

/// A handle is a retained reference; the C side sees an opaque pointer.
extension ExecutionContext {
  /// NULL is the process's default.
  @inline(__always)
  static func from(_ handle: OpaquePointer?) throws(ApusError) -> ExecutionContext {
    guard let handle else { return try processDefault() }
    return Unmanaged<ExecutionContext>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
  }
}

extension GemmPlan {
  @inline(__always)
  static func from(_ handle: OpaquePointer?) throws(ApusError) -> GemmPlan {
    guard let handle else { throw .invalid("plan", "NULL", "it must be a plan that apus_gemm_plan_create made") }
    return Unmanaged<GemmPlan>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
  }
}

/// A new handle for an object; `release` ends it.
func handle(_ object: AnyObject) -> OpaquePointer {
  OpaquePointer(Unmanaged<AnyObject>.passRetained(object).toOpaque())
}
func release(_ handle: OpaquePointer?) {
  if let handle { Unmanaged<AnyObject>.fromOpaque(UnsafeRawPointer(handle)).release() }
}

/// The caller's struct, if its `struct_size` is at least that of this version's first release of it.
@inline(__always)
func require<T>(
  _ pointer: UnsafePointer<T>?, _ name: String, _ size: (T) -> Int
) throws(ApusError) -> UnsafePointer<T> {
  guard let pointer else { throw .invalid(name, "NULL", "it must point to a struct") }
  let given = size(pointer.pointee)
  if given != MemoryLayout<T>.size {
    throw .invalid("\(name)->struct_size", given, "this version's struct has \(MemoryLayout<T>.size) bytes")
  }
  return pointer
}
