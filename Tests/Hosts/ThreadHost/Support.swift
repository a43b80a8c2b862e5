import Glibc

func fail(_ message: String) -> Never {
  print("failed: \(message)")
  exit(1)
}

func require(_ condition: Bool, _ message: @autoclosure () -> String) {
  if !condition { fail(message()) }
}
