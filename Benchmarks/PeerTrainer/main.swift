// The worker for end-to-end workloads that the harness of peers talks to: "setup key=value ..." makes a network and answers
// with "ok chk=... info=...", "run ms=..." times its step and answers with "t" and nanoseconds, "quit" ends it.
import Apus

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

func nanoseconds() -> Double {
  var t = timespec()
  clock_gettime(CLOCK_MONOTONIC, &t)
  return Double(t.tv_sec) * 1e9 + Double(t.tv_nsec)
}

/// The numbers that every worker fills its inputs with.
func filled(_ shape: [Int], seed: UInt32) -> Tensor {
  let count = shape.reduce(1, *)
  let values = (0..<count).map { i in
    var h = (UInt32(truncatingIfNeeded: i) &+ 1) &* 2_654_435_761 &+ seed &* (40503 &* 65537)
    h = (h ^ h >> 15) &* 2_246_822_519
    h ^= h >> 13
    return Float(h >> 8 & 0xffff) / 65536 - 0.5
  }
  return Tensor(values, shape: shape)
}

/// A step of stochastic gradient descent, as the peers' workers do it; gives the loss.
func trainingStep(_ model: any Module, _ x: Tensor, _ labels: Tensor) -> () -> Tensor {
  let optimizer = SGD(model.parameters, learningRate: 1e-3)
  return {
    let y = model(x)
    let loss = softmaxCrossEntropy(y.reshaped([-1, y.shape[y.rank - 1]]), labels)
    loss.backward()
    optimizer.step()
    return loss.detached()
  }
}

/// What a request asks for, to be called again and again; nil: something else than this program has.
func makeCall(_ request: [String: String]) -> (() -> Tensor)? {
  func number(_ key: String) -> Int { request[key].flatMap { Int($0) } ?? 0 }
  let batch = number("n")
  switch (request["op"], request["net"]) {
  case ("e2e_train", "lenet5"):
    let labels = Tensor((0..<batch).map { Int64($0 % 10) })
    return trainingStep(LeNet5(), filled([batch, 1, 28, 28], seed: 1), labels)
  case ("e2e_train", "char"):
    let (steps, vocabulary) = (number("t"), number("v"))
    let letters = (0..<steps * batch).map { Int64($0 * 7919 % vocabulary) }
    let next = letters.map { ($0 + 1) % Int64(vocabulary) }
    let model = CharacterModel(cell: request["cell"] ?? "lstm", hidden: number("h"), vocabulary: vocabulary)
    return trainingStep(model, Tensor(letters, shape: [steps, batch]), Tensor(next))
  case ("e2e_infer", "resnet18"):
    let model = ResNet18()
    model.evaluate()
    model.fold()
    let x = filled([batch, 3, 224, 224], seed: 1)
    return { withoutGradients { model(x) } }
  default: return nil
  }
}

/// Times of single calls, or of several where one takes less than 20 us.
func samples(of call: () -> Tensor, milliseconds: Double) -> [Double] {
  func time(_ calls: Int) -> Double {
    let start = nanoseconds()
    for _ in 0..<calls { _ = call() }
    return nanoseconds() - start
  }
  let first = time(1)
  _ = time(first < 5e6 ? 3 : 1)
  let single = time(1)
  let calls = single >= 20e3 ? 1 : Int(30e3 / max(single, 100)) + 1
  let end = nanoseconds() + milliseconds * 1e6
  var result: [Double] = []
  while result.count < 4096 && (result.count < 3 || nanoseconds() < end) { result.append(time(calls) / Double(calls)) }
  return result
}

// Before the library looks at it.
if let threads = getenv("OWN_NUM_THREADS") { setenv("APUS_THREADS", threads, 1) }
var call: (() -> Tensor)?
while let line = readLine() {
  let words = line.split(separator: " ")
  var request: [String: String] = [:]
  for word in words.dropFirst() {
    let parts = word.split(separator: "=", maxSplits: 1)
    if parts.count == 2 { request[String(parts[0])] = String(parts[1]) }
  }
  switch words.first {
  case "quit": exit(0)
  case "setup":
    call = makeCall(request)
    if let call {
      let checksum = call().absolute().converted(to: .float64).sum().scalar
      print("ok chk=\(checksum) info=apus")
    } else {
      print("no op")
    }
  case "run":
    if let call {
      print(
        "t "
          + samples(of: call, milliseconds: request["ms"].flatMap { Double($0) } ?? 40).map { "\($0)" }
          .joined(separator: " "))
    } else {
      print("no setup")
    }
  default: print("no command")
  }
  fflush(nil)
}
