import ApusEngine

/// An array of the header with a number for each spatial dimension.
typealias SpatialArray = (Int64, Int64, Int64)

/// The first `rank` numbers of an array as the last dimensions, the others being `rest`.
func extents(_ array: SpatialArray, rank: Int, rest: Int) -> Extents {
  let values = [Int(array.0), Int(array.1), Int(array.2)]
  var result = Extents(repeating: rest)
  for i in 0..<min(max(rank, 0), 3) { result[3 - rank + i] = values[i] }
  return result
}

/// The last `rank` dimensions as the first numbers of an array.
func spatialArray(_ extents: Extents, rank: Int) -> SpatialArray {
  switch rank {
  case 1: (Int64(extents.width), 0, 0)
  case 2: (Int64(extents.height), Int64(extents.width), 0)
  default: (Int64(extents.depth), Int64(extents.height), Int64(extents.width))
  }
}

/// A header's 0 or 1.
func requireFlag(_ raw: Int32, _ name: String) throws(ApusError) -> Bool {
  if raw != 0 && raw != 1 { throw .invalid(name, raw, "it must be 0 or 1") }
  return raw == 1
}
