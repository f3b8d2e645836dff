/* Messages for people. */
#include "message_text.h"
#include "json_write.h"
#include <stdlib.h>
#include <string.h>

struct pair {
	const char *is, *reads;
};
static const struct pair types[] = {
	{"case.opened", "新预警"},      {"case.changed", "预警变化"},
	{"case.raised", "预警升级"},    {"case.reminded", "到期提醒"},
	{"case.escalated", "逾期上报"}, {"case.cleared", "预警解除"},
	{"case.closed", "结案"},        {NULL, NULL},
};
static const struct pair levels[] = {
	{"green", "绿色"}, {"blue", "蓝色"}, {"yellow", "黄色"}, {"orange", "橙色"}, {"red", "红色"}, {NULL, NULL},
};
static const struct pair states[] = {
	{"open", "预警中"}, {"clearing", "好转观察中"}, {"pending", "待观察"}, {"over", "已解除"}, {NULL, NULL},
};
static const struct pair units[] = {
	{"yuan", "元"},    {"yuan/month", "元/月"}, {"yuan/year", "元/年"}, {"day", "天"},   {"days", "天"},
	{"month", "个月"}, {"months", "个月"},      {"year", "年"},         {"years", "年"}, {NULL, NULL},
};
static const struct pair reasons[] = {
	{"cleared", "情况好转"},
	{"ended", "对象已注销"},
	{"rule removed", "规则已停用"},
	{"moved", "已迁移"},
	{NULL, NULL},
};

static const char *reading(const struct pair *table, const char *is)
{
	for (; is && table->is; table++)
		if (strcmp(table->is, is) == 0)
			return table->reads;
	return is ? is : "";
}

const char *text_level(const char *level)
{
	return reading(levels, level);
}
const char *text_unit(const char *unit)
{
	return reading(units, unit);
}

static const char *text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* 2023-06-01T08:00:00+08:00 as 2023-06-01 08:00. */
static void moment(struct buffer *out, const char *time)
{
	if (!time || strlen(time) < 16)
		return;
	write_printf(out, "%.10s %.5s", time, time + 11);
}

static void value(struct buffer *out, const json_t *v)
{
	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_STRING:
		write_plain(out, json_string_value(v));
		break;
	case JSON_TRUE:
		write_plain(out, "是");
		break;
	case JSON_FALSE:
		write_plain(out, "否");
		break;
	case JSON_INTEGER:
		write_printf(out, "%lld", (long long)json_integer_value(v));
		break;
	case JSON_REAL: {
		char digits[400];
		int n = snprintf(digits, sizeof digits, "%.2f", json_real_value(v));
		while (n > 1 && n < (int)sizeof digits && digits[n - 1] == '0')
			n--;
		write_bytes(out, digits, (size_t)(digits[n - 1] == '.' ? n - 1 : n));
		break;
	}
	case JSON_NULL:
		write_plain(out, "?");
		break;
	default: {
		char *whole = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
		write_plain(out, whole ? whole : "?");
		free(whole);
	}
	}
}

static const char *unit_title(const struct ruleset *r, const char *name)
{
	size_t n = name ? strcspn(name, "/") : 0; /* without the code */
	for (size_t i = 0; r && name && i < r->n_units; i++)
		if (strlen(r->units[i].name) == n && strncmp(r->units[i].name, name, n) == 0)
			return r->units[i].title ? r->units[i].title : name;
	return name ? name : "";
}

static const char *threshold_title(const struct ruleset *r, const char *name)
{
	for (size_t i = 0; r && name && i < r->n_thresholds; i++)
		if (strcmp(r->thresholds[i].name, name) == 0)
			return r->thresholds[i].title ? r->thresholds[i].title : name;
	return name ? name : "";
}

static void alert_values(struct buffer *out, const json_t *alert)
{
	size_t i;
	json_t *v;
	bool any = false;
	json_array_foreach(json_object_get(alert, "values"), i, v)
	{
		const char *title = text(v, "title"), *unit = text(v, "unit");
		write_plain(out, any ? "; " : "    数据: ");
		write_plain(out, title ? title : text(v, "name") ? text(v, "name") : "");
		write_plain(out, " ");
		value(out, json_object_get(v, "value"));
		if (unit && !json_is_null(json_object_get(v, "value")))
			write_plain(out, text_unit(unit));
		any = true;
	}
	if (any)
		write_plain(out, "\n");
}

static void alert_thresholds(struct buffer *out, const json_t *alert, const struct ruleset *r)
{
	size_t i;
	json_t *t;
	json_array_foreach(json_object_get(alert, "thresholds"), i, t)
	{
		write_printf(out, "    标准: %s ", threshold_title(r, text(t, "name")));
		value(out, json_object_get(t, "value"));
		write_plain(out, text_unit(text(t, "unit")));
		if (text(t, "region"))
			write_printf(out, " (区划%s, 自%s起, %s)", text(t, "region"),
				     text(t, "from") ? text(t, "from") : "?",
				     text(t, "basis") ? text(t, "basis") : "依据未注明");
		write_plain(out, "\n");
	}
}

static void alert_evidence(struct buffer *out, const json_t *alert)
{
	enum { SHOWN = 3 };
	size_t i;
	json_t *e;
	const json_t *list = json_object_get(alert, "evidence");
	if (json_array_size(list))
		write_printf(out, "    来源: 共%lld条",
			     (long long)json_integer_value(json_object_get(alert, "evidence_count")));
	json_array_foreach(list, i, e)
	{
		if (i == SHOWN)
			break;
		write_plain(out, i ? "; " : ", 最近: ");
		write_printf(out, "%s %s %.10s", text(e, "source") ? text(e, "source") : "",
			     text(e, "id") ? text(e, "id") : "", text(e, "time") ? text(e, "time") : "");
	}
	if (json_array_size(list))
		write_plain(out, "\n");
	list = json_object_get(alert, "unknown");
	json_array_foreach(list, i, e)
	{
		write_plain(out, i ? "、" : "    缺少数据: ");
		write_plain(out, json_is_string(e) ? json_string_value(e) : "?");
	}
	if (json_array_size(list))
		write_plain(out, "\n");
}

static void alert_text(struct buffer *out, const json_t *alert, const struct ruleset *r)
{
	const char *title = text(alert, "title"), *member = text(alert, "member");
	write_printf(out, "  ● %s [%s, %s]",
		     title                 ? title
		     : text(alert, "rule") ? text(alert, "rule")
					   : "",
		     text_level(text(alert, "level")), reading(states, text(alert, "state")));
	if (member)
		write_printf(out, " 成员 %s", member);
	write_plain(out, " 自 ");
	moment(out, text(alert, "since"));
	write_plain(out, "\n");
	if (text(alert, "summary")) {
		write_plain(out, "    ");
		write_plain(out, text(alert, "summary"));
		write_plain(out, "\n");
	}
	if (text(alert, "basis"))
		write_printf(out, "    依据: %s (规则 %s 第%lld版)\n", text(alert, "basis"),
			     text(alert, "rule") ? text(alert, "rule") : "",
			     (long long)json_integer_value(json_object_get(alert, "version")));
	if (text(alert, "assistance"))
		write_printf(out, "    帮扶: %s\n", text(alert, "assistance"));
	alert_values(out, alert);
	alert_thresholds(out, alert, r);
	alert_evidence(out, alert);
}

void message_text_of(const json_t *message, const struct ruleset *r, struct buffer *out)
{
	const json_t *data = json_object_get(message, "data");
	const struct watch *watch = r && text(data, "watch") ? ruleset_watch(r, str_of(text(data, "watch"))) : NULL;
	write_printf(out, "【%s】%s  %s  ", reading(types, text(message, "type")), text_level(text(data, "level")),
		     unit_title(r, text(data, "unit")));
	moment(out, text(message, "time"));
	write_printf(out, "\n  案件 %s (第%lld条通知)\n", text(data, "case") ? text(data, "case") : "",
		     (long long)json_integer_value(json_object_get(data, "message_no")));
	if (text(data, "previous"))
		write_printf(out, "  前案 %s\n", text(data, "previous"));
	write_printf(out, "  对象 %s %s", watch && watch->title ? watch->title : "",
		     text(data, "subject") ? text(data, "subject") : "");
	if (text(data, "region"))
		write_printf(out, " (区划%s)", text(data, "region"));
	write_plain(out, "\n  立案 ");
	moment(out, text(data, "opened"));
	write_printf(out, "  办理期限 %s\n", text(data, "due") ? text(data, "due") : "无");
	if (text(data, "reason"))
		write_printf(out, "  原因 %s\n", reading(reasons, text(data, "reason")));
	size_t i;
	json_t *alert;
	json_array_foreach(json_object_get(data, "alerts"), i, alert) alert_text(out, alert, r);
}

void message_text(const struct message *m, const struct ruleset *r, struct buffer *out)
{
	struct buffer bytes = {0};
	message_json(m, r, (struct str){0}, &bytes);
	json_t *message = json_loadb(bytes.data, bytes.len, 0, NULL);
	if (message)
		message_text_of(message, r, out);
	json_decref(message);
	free(bytes.data);
}
