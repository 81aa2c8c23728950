// A peer of the workbench (harness/peers/README.md, whole plans) that executes plans by an entry of the SIGMOD
// Programming Contest 2025. It knows the contest's own interface (plan.h), and nothing of the entry behind it.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sched.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>
#include <plan.h>

using nlohmann::json;

namespace {

template <typename T>
std::vector<T> read(const std::string& folder, const json& name) {
    std::ifstream file(folder + "/" + name.get<std::string>(), std::ios::binary | std::ios::ate);
    if (!file) throw std::runtime_error("cannot open " + name.get<std::string>());
    std::vector<T> values(file.tellg() / sizeof(T));
    file.seekg(0);
    file.read(reinterpret_cast<char*>(values.data()), values.size() * sizeof(T));
    return values;
}

DataType type_of(const std::string& name) {
    if (name == "INT32") return DataType::INT32;
    if (name == "INT64") return DataType::INT64;
    if (name == "FP64") return DataType::FP64;
    if (name == "VARCHAR") return DataType::VARCHAR;
    throw std::runtime_error("no type " + name);
}

// Arrow's bitmap: a bit a row, clear for a NULL; none where there is no NULL.
struct Valid {
    std::vector<uint8_t> bits;

    Valid(const std::string& folder, const json& name) {
        if (!name.is_null()) bits = read<uint8_t>(folder, name);
    }

    bool operator()(size_t row) const { return bits.empty() || bits[row / 8] >> row % 8 & 1; }
};

template <typename T>
void fill(Column& column, size_t rows, const std::string& folder, const json& files) {
    auto values = read<T>(folder, files["values"]);
    Valid valid(folder, files["valid"]);
    ColumnInserter<T> pages(column);
    for (size_t row = 0; row < rows; row++)
        valid(row) ? pages.insert(values[row]) : pages.insert_null();
    pages.finalize();
}

void fill_strings(Column& column, size_t rows, const std::string& folder, const json& files) {
    auto chars = read<char>(folder, files["values"]);
    auto ends = read<uint64_t>(folder, files["ends"]);
    Valid valid(folder, files["valid"]);
    ColumnInserter<std::string> pages(column);
    for (size_t row = 0; row < rows; row++) {
        std::string_view text(chars.data() + ends[row], ends[row + 1] - ends[row]);
        valid(row) ? pages.insert(text) : pages.insert_null();
    }
    pages.finalize();
}

Plan load(const std::string& folder) {
    std::ifstream file(folder + "/plan.json");
    json described = json::parse(file);
    Plan plan;
    plan.root = described["root"];
    for (auto& table : described["tables"]) {
        ColumnarTable input;
        input.num_rows = table["rows"];
        for (auto& files : table["columns"]) {
            // The place of a column that the plan does not read.
            if (files.is_null()) {
                input.columns.emplace_back(DataType::INT32);
                continue;
            }
            auto& column = input.columns.emplace_back(type_of(files["type"]));
            switch (column.type) {
                case DataType::INT32: fill<int32_t>(column, input.num_rows, folder, files); break;
                case DataType::INT64: fill<int64_t>(column, input.num_rows, folder, files); break;
                case DataType::FP64: fill<double>(column, input.num_rows, folder, files); break;
                case DataType::VARCHAR: fill_strings(column, input.num_rows, folder, files); break;
            }
        }
        plan.new_input(std::move(input));
    }
    for (auto& node : described["nodes"]) {
        std::vector<std::tuple<size_t, DataType>> output;
        for (auto& column : node["output"]) output.emplace_back(column[0], type_of(column[1]));
        if (node.contains("scan")) {
            plan.new_scan_node(node["scan"]["base_table"], std::move(output));
            continue;
        }
        auto& join = node["join"];
        plan.new_join_node(
            join["build_left"], join["left"], join["right"], join["left_attr"], join["right_attr"], std::move(output));
    }
    // The contest has keys of 32 bits alone.
    for (auto& node : plan.nodes)
        if (auto* join = std::get_if<JoinNode>(&node.data))
            if (std::get<1>(plan.nodes[join->left].output_attrs[join->left_attr]) != DataType::INT32)
                throw std::runtime_error("keys of the contest are INT32");
    return plan;
}

// FNV-1a 64 over the fields of each row, added up (core/src/checksum.rs).
struct Rows {
    std::vector<uint64_t> hashes;

    explicit Rows(size_t rows) : hashes(rows, 0xcbf29ce484222325) {}

    void add(size_t row, const void* bytes, size_t count) {
        auto hash = hashes.at(row);
        for (size_t at = 0; at < count; at++) hash = (hash ^ static_cast<const uint8_t*>(bytes)[at]) * 0x100000001b3;
        hashes[row] = hash;
    }

    void add(size_t row, uint64_t value) { add(row, &value, sizeof(value)); }

    void add_string(size_t row, std::string_view text) {
        add(row, text.size());
        add(row, text.data(), text.size());
    }

    void add_null(size_t row) {
        add(row, UINT64_MAX);
        add(row, "\1", 1);
    }

    std::string sum() const {
        uint64_t sum = 0;
        for (auto hash : hashes) sum += hash;
        char text[17];
        snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(sum));
        return text;
    }
};

template <typename T>
T at(const Page& page, size_t byte) {
    T value;
    memcpy(&value, page.data + byte, sizeof(T));
    return value;
}

void add_column(Rows& rows, const Column& column) {
    size_t row = 0;
    for (size_t number = 0; number < column.pages.size();) {
        auto& page = *column.pages[number++];
        size_t slots = at<uint16_t>(page, 0), values = at<uint16_t>(page, 2);
        auto* chars = reinterpret_cast<const char*>(page.data);
        if (column.type == DataType::VARCHAR && slots == 0xffff) {
            std::string text(chars + 4, values);
            for (; number < column.pages.size() && at<uint16_t>(*column.pages[number], 0) == 0xfffe; number++) {
                auto& next = *column.pages[number];
                text.append(reinterpret_cast<const char*>(next.data) + 4, at<uint16_t>(next, 2));
            }
            rows.add_string(row++, text);
            continue;
        }
        auto* bits = reinterpret_cast<const uint8_t*>(page.data) + PAGE_SIZE - (slots + 7) / 8;
        size_t value = 0, start = 0;
        for (size_t slot = 0; slot < slots; slot++, row++) {
            if (!(bits[slot / 8] >> slot % 8 & 1)) {
                rows.add_null(row);
                continue;
            }
            if (column.type == DataType::VARCHAR) {
                size_t end = at<uint16_t>(page, 4 + 2 * value);
                rows.add_string(row, {chars + 4 + 2 * values + start, end - start});
                start = end;
            } else if (column.type == DataType::INT32) {
                rows.add(row, static_cast<int64_t>(at<int32_t>(page, 4 + 4 * value)));
            } else {
                rows.add(row, at<uint64_t>(page, 8 + 8 * value));
            }
            value++;
        }
    }
    if (row != rows.hashes.size()) throw std::runtime_error("a column has other rows than the result");
}

// The most that this process has held, in KiB.
long peak() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.rfind("VmHWM:", 0) == 0) return std::stol(line.substr(6));
    return 0;
}

struct Peer {
    void* context = nullptr;
    std::unique_ptr<Plan> plan;

    json answer(const json& line) {
        if (line.contains("load")) {
            start(line["load"]["threads"]);
            plan.reset();
            plan = std::make_unique<Plan>(load(line["load"]["plan"]));
            return {{"loaded", true}};
        }
        if (!line.contains("execute") || !plan) throw std::runtime_error("whole plans alone");
        auto begun = std::chrono::steady_clock::now();
        auto result = Contest::execute(*plan, context);
        std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
        fprintf(stderr, "%zu rows, peak %ld KiB\n", result.num_rows, peak());
        json checksum;
        if (line["execute"]["checksum"].get<bool>()) {
            Rows rows(result.num_rows);
            for (auto& column : result.columns) add_column(rows, column);
            checksum = rows.sum();
        }
        return {{"seconds", took.count()}, {"rows", result.num_rows}, {"checksum", checksum}};
    }

    // An entry has as many threads as its process has processors.
    void start(int threads) {
        if (context || started) return;
        cpu_set_t all, some;
        sched_getaffinity(0, sizeof(all), &all);
        CPU_ZERO(&some);
        for (int cpu = 0; cpu < CPU_SETSIZE && threads > 0; cpu++)
            if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &some), threads--;
        if (threads > 0) throw std::runtime_error("it has one thread for each processor, not more");
        sched_setaffinity(0, sizeof(some), &some);
        context = Contest::build_context();
        started = true;
    }

    bool started = false;
};

}

int main(int count, char** arguments) {
    if (count > 1 && !strcmp(arguments[1], "--version")) {
        std::cout << REVISION << std::endl;
        return 0;
    }
    Peer peer;
    for (std::string line; std::getline(std::cin, line);) {
        json answer;
        try {
            answer = peer.answer(json::parse(line));
        } catch (const std::exception& error) {
            answer = {{"error", error.what()}};
        }
        std::cout << answer.dump() << std::endl;
    }
    if (peer.started) Contest::destroy_context(peer.context);
}
