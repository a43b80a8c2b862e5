import Apus

let a: [Float] = [1, 2, 3, 4, 5, 6]  // 2 x 3
let b: [Float] = [1, 0, 0, 1, 1, 1]  // 3 x 2
var c = [Float](repeating: 0, count: 4)  // 2 x 2
do {
  try gemm(m: 2, n: 2, k: 3, a, b, into: &c)
  print(c)
} catch {
  print("\(error.code): \(error.message)")
}
