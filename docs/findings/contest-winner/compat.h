// The library of formats is older in Debian 12 than the winner's sources, one of which prints a line.

#include <fmt/core.h>

#if FMT_VERSION < 100000
namespace fmt {
template <typename... T>
void println(format_string<T...> line, T&&... values) {
    print(line, std::forward<T>(values)...);
    print("\n");
}
}
#endif
