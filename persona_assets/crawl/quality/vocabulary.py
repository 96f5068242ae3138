"""Words of pages that hold nothing to read: of a site that speaks of itself, and of offers.

A stem of four letters and more stands for every word that begins with it. Articles about sites, games of chance or
money have such words too, but not one in five.
"""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SITE_STEMS = frozenset(
    _words(
        """
        403 404 500 502 503 accept access account activat ad-blocker adblock address administrator ads agree antivirus
        apache apologi apologies app banner blocked bookmark broken broker browser button cache cached cancel captcha
        charset click comment confirm connection consent contact content continu cookie cookies copyright deactivat
        delet detail device disabl domain download email enabl error expired facebook field forgot forgotten form
        found functionalit gateway homepage homepages host hosting human identifier inconvenience infected instagram
        install instruction ip javascript link linkedin load loading log logged login maintenance malware member menu
        mistyped moved network newsletter nginx notify online oops optimis optimiz page partner password patience
        paywall permission persist personalis personaliz pinterest policies policy preference premium privacy proceed
        processing publish purchase query redirect refresh regist reload remov reply request required resend reserved
        retry robot scan script search secure security server session setting share sign signup site sitemap sorry
        statistic submit subscri support tab temporar term terms third timeout tracking transfer twitter typed typing
        unavailable unlimited unsubscribe update url user username valid verif version visit visitor web webmaster
        webpage website whatsapp whoops
        автоматическ авториз админист адрес аккаунт браузер версия войдит войти вход главн данны данных домен доступ
        зайдит запрос зарегистр извин извините кабинет капч картинк клик кнопк конфиденциальн куки логин меню нажав
        нажима нажмит найден настройк неверн недоступ необходимо неудобств обновит обработк обратн опечатк отклон
        отключ ошибк парол перезагруз перейд перейт перемещ перенес перешл персональн подписк позже поиск покинь
        пользовател попробуй посетител приносим принят проверк раздел регистрац робот сайт сервер символ скрипт
        согласи сожален ссылк ссылок страниц техническ трафик удален удалён упс устаревш устранен устройств форм
        хостинг
        """
    )
)
OFFER_STEMS = frozenset(
    _words(
        """
        adidas adult affordable amazing apk apply approv apr authentic baccarat backlink bags bank belly best bet bets
        betting bitcoin blackjack blog bonus borrow bottle brand burn buy buyer cam card cash casino cheap cheapest
        checkout cialis click code coupon crack credit crypto customer dating deal dealer debt delivery deposit
        dieting discount download earn easy enlargement escort essay exclusive fast fat faxing follower forex free
        gambl girls guarantee gucci handbag hd hot hurry income instant invest jackpot jersey jordan keygen lender
        license limited link loan lose lowest luxury massage mastercard million miracle mod money muscle nike now nude
        oakley odds offer official online order outlet paperwork payday payout paypal pharmac pills play player poker
        porn prada prescription price prize profit promo quick real refund repay replica rich risk rolex roulette rush
        sale satisf score secret seo serial sex sexual sexy shipping shoes shop signup singles slim slot spin stream
        sunglasses supplement telegram tickets today torrent trial trick viagra vip visa vuitton watches webcam
        website weight welcome wholesale win winning wins worldwide xxx
        автомат акци анкет апартамент аттестат бесплатн бонус букмекер быстр виагр вложен вход выгодн выезд выигр
        гаранти гознак девочк девушк деньги депозит дешев джекпот диплом доставк досуг доход дёшев заем займ закаж
        заказ заработ заявк заём звон зеркал игров индивидуалк интим казино карт качествен клиент комисси кредит
        криптовалют круглосуточн купит куплю лиценз лучш массаж микрозайм мобильн недорог одобр онлайн оформ паспорт
        подруг покер похуде прибыл приворот прием приём проверен просроч проститутк процент реальн реплик розыгрыш
        рублей рулетк салон сегодня сейчас секрет секс скача скидк слот справк срочн ставк турнир услуг фото фриспин
        цен цены эротич
        """
    )
)
# Without blanks between words, Chinese is looked through for these.
SITE_TERMS = _words(
    """
    404 500 502 503 cookie cookies ip 下线 不存在 主机 主题 举报 会员 保存 停放 免责声明 关闭 分享 删除 刷新 加载 同意
    启用 地址 域名 声明 备案 备案号 失效 客服 密码 帐号 微信 必需 必须 您 手机号 打开 扫码 找回 抱歉 拖动 推送 提交
    提示 支持 服务器 本站 权限 查看 检查 歉意 注册 浏览 浏览器 滑块 点击 版权所有 用户 用户名 登录 登陆 确认 禁用
    空间商 站点 管理员 系统 继续 续费 维护 缓存 网关 网址 网站 网络 网页 联系我们 脚本 自定义 设备 设置 访问 评论 请先
    请勿 请您 请求 请稍 账号 超时 跳转 转载 输入 返回 违法 连接 邮箱 重新 重试 链接 错误 附件 隐私 页面 首页 验证
    验证码
    """
)
OFFER_TERMS = _words(
    """
    24小时 app qq vip 一站式 三分钟 上门 下款 下载 专业 丝足 代开 价格 优惠 会员 会所 低价 佣 促销 保密 保证 信誉
    信誉第一 借款 元 先验 免费 入口 全套 全程 利息 利率 到账 办理 加入 加盟 包夜 包邮 博彩 厂家 厂家直销 发票 合作
    周周 咨询 品质 商品 在线 天天 套现 好评 娱乐 存取款 学位证 安全 安全可靠 官方 官网 客户 客服 小姐 平台 开户 开票
    彩票 彩金 征信 微信 快速 房产证 手续 打扰 打折 批发 技师 投注 折扣 抢购 抵押 持有 按摩 推油 提供 提款 提现 收费
    放款 效果 敬请 文凭 新用户 旗舰 最低 最快 服务 本公司 来电 棋牌 模特 欢迎 正品 正规 毕业证 注册 注册送 消费贷 游戏
    满意 澳门 点数 热线 特价 现货 电话 疗程 直销 真人 真实 票 票据 税点 竞猜 管理 红包 经营贷 结婚证 网址 老板 联系
    能贷 致电 诚信 请加 购买 贷款 资格证 资金 赌场 赚 赢 车抵贷 返佣 返利 送 送货 量大从优 长期有效 限时 随叫随到 随时
    需要 额度 首存 首选 驾驶证 高清 高端
    """
)
